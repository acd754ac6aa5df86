package dynamodb

import "context"

// What the account's operations answer. The limits are those of a new account in us-east-1
// (Developer Guide, "Quotas in Amazon DynamoDB"); nothing here enforces them.
type (
	describeLimitsOutput struct {
		AccountMaxReadCapacityUnits  int64
		AccountMaxWriteCapacityUnits int64
		TableMaxReadCapacityUnits    int64
		TableMaxWriteCapacityUnits   int64
	}
	endpoint struct {
		Address              string
		CachePeriodInMinutes int64
	}
	describeEndpointsOutput      struct{ Endpoints []endpoint }
	pointInTimeRecovery          struct{ PointInTimeRecoveryStatus string }
	continuousBackupsDescription struct {
		ContinuousBackupsStatus        string
		PointInTimeRecoveryDescription pointInTimeRecovery
	}
	describeContinuousBackupsOutput struct {
		ContinuousBackupsDescription continuousBackupsDescription
	}
	emptyInput struct{}
)

func (e *Engine) describeLimits(context.Context, *emptyInput) (*describeLimitsOutput, error) {
	return &describeLimitsOutput{
		AccountMaxReadCapacityUnits: 80000, AccountMaxWriteCapacityUnits: 80000,
		TableMaxReadCapacityUnits: 40000, TableMaxWriteCapacityUnits: 40000,
	}, nil
}

func (e *Engine) describeEndpoints(context.Context, *emptyInput) (*describeEndpointsOutput, error) {
	return &describeEndpointsOutput{Endpoints: []endpoint{{Address: "dynamodb." + region + ".amazonaws.com", CachePeriodInMinutes: 1440}}}, nil
}

// describeContinuousBackups reports that point-in-time recovery is off, as on a new table.
func (e *Engine) describeContinuousBackups(_ context.Context, in *tableInput) (*describeContinuousBackupsOutput, error) {
	if err := checkTableName(bareName(in.TableName)); err != nil {
		return nil, err
	}
	if e.catalog.Load().tables[bareName(in.TableName)] == nil {
		return nil, &Error{Code: codeTableNotFound, Message: "Table not found: " + bareName(in.TableName)}
	}
	return &describeContinuousBackupsOutput{ContinuousBackupsDescription: continuousBackupsDescription{
		ContinuousBackupsStatus: "ENABLED", PointInTimeRecoveryDescription: pointInTimeRecovery{PointInTimeRecoveryStatus: "DISABLED"},
	}}, nil
}
