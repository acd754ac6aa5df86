package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/jsii-runtime-go"
)

// newBudget notifies the alarms' topic of what the account spends. It counts all of
// the account: costs by tag need the tag to be activated in the billing console
// first, and would be zero, and silent, without.
func newBudget(a *app, stack awscdk.Stack) {
	var notifications []any
	for _, when := range []struct {
		kind    string
		percent float64
	}{{"ACTUAL", 80}, {"ACTUAL", 100}, {"FORECASTED", 100}} {
		notifications = append(notifications, &awsbudgets.CfnBudget_NotificationWithSubscribersProperty{
			Notification: &awsbudgets.CfnBudget_NotificationProperty{
				NotificationType: jsii.String(when.kind), ComparisonOperator: jsii.String("GREATER_THAN"),
				Threshold: jsii.Number(when.percent), ThresholdType: jsii.String("PERCENTAGE"),
			},
			Subscribers: []any{&awsbudgets.CfnBudget_SubscriberProperty{
				SubscriptionType: jsii.String("SNS"), Address: jsii.String(a.settings.AlarmTopic),
			}},
		})
	}
	awsbudgets.NewCfnBudget(stack, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
		Budget: &awsbudgets.CfnBudget_BudgetDataProperty{
			BudgetType: jsii.String("COST"), TimeUnit: jsii.String("MONTHLY"),
			BudgetLimit: &awsbudgets.CfnBudget_SpendProperty{Amount: jsii.Number(a.settings.Budget), Unit: jsii.String("USD")},
		},
		NotificationsWithSubscribers: notifications,
	})
}
