package eventsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// ParseRecord reads a record as AppendRecord writes it. It fails on what is no
// JSON, on a record without SequenceNumber or eventName, and on attributes that
// have no type of DynamoDB's, or two.
func ParseRecord(text []byte) (types.Record, error) {
	var in struct {
		EventID      *string `json:"eventID"`
		EventName    string  `json:"eventName"`
		EventVersion *string `json:"eventVersion"`
		AWSRegion    *string `json:"awsRegion"`
		UserIdentity *struct {
			Type        *string `json:"type"`
			PrincipalID *string `json:"principalId"`
		} `json:"userIdentity"`
		Change struct {
			Created        float64                   `json:"ApproximateCreationDateTime"`
			Keys           map[string]attributeValue `json:"Keys"`
			NewImage       map[string]attributeValue `json:"NewImage"`
			OldImage       map[string]attributeValue `json:"OldImage"`
			SequenceNumber *string                   `json:"SequenceNumber"`
			SizeBytes      *int64                    `json:"SizeBytes"`
			StreamViewType string                    `json:"StreamViewType"`
		} `json:"dynamodb"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return types.Record{}, fmt.Errorf("parse stream record: %w", err)
	}
	if aws.ToString(in.Change.SequenceNumber) == "" || in.EventName == "" {
		return types.Record{}, errors.New("parse stream record: want SequenceNumber and eventName")
	}
	if in.Change.Created < 0 || in.Change.Created >= 1e11 { // 5138 CE
		return types.Record{}, fmt.Errorf("parse stream record: invalid ApproximateCreationDateTime %g: want seconds since 1970", in.Change.Created)
	}
	r := types.Record{
		AwsRegion: in.AWSRegion, EventID: in.EventID, EventName: types.OperationType(in.EventName), EventVersion: in.EventVersion,
		Dynamodb: &types.StreamRecord{
			ApproximateCreationDateTime: aws.Time(time.Unix(int64(in.Change.Created), 0)),
			Keys:                        imageOf(in.Change.Keys),
			NewImage:                    imageOf(in.Change.NewImage),
			OldImage:                    imageOf(in.Change.OldImage),
			SequenceNumber:              in.Change.SequenceNumber,
			SizeBytes:                   in.Change.SizeBytes,
			StreamViewType:              types.StreamViewType(in.Change.StreamViewType),
		},
	}
	if in.UserIdentity != nil {
		r.UserIdentity = &types.Identity{Type: in.UserIdentity.Type, PrincipalId: in.UserIdentity.PrincipalID}
	}
	return r, nil
}

func imageOf(in map[string]attributeValue) Image {
	if in == nil {
		return nil
	}
	out := make(Image, len(in))
	for name, v := range in {
		out[name] = v.value
	}
	return out
}

// attributeValue reads {"S":"…"} and the like.
type attributeValue struct{ value types.AttributeValue }

// UnmarshalJSON implements json.Unmarshaler.
func (a *attributeValue) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || len(members) != 1 {
		return fmt.Errorf("invalid attribute value %.40s: want an object with one of DynamoDB's types", text)
	}
	for kind, value := range members {
		return a.read(kind, value)
	}
	return nil
}

func (a *attributeValue) read(kind string, text json.RawMessage) error {
	switch kind {
	case "S":
		v := &types.AttributeValueMemberS{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "N":
		v := &types.AttributeValueMemberN{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "B":
		v := &types.AttributeValueMemberB{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "BOOL":
		v := &types.AttributeValueMemberBOOL{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "NULL":
		a.value = &types.AttributeValueMemberNULL{Value: true}
		return nil
	case "SS":
		v := &types.AttributeValueMemberSS{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "NS":
		v := &types.AttributeValueMemberNS{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "BS":
		v := &types.AttributeValueMemberBS{}
		a.value = v
		return json.Unmarshal(text, &v.Value)
	case "L":
		return a.readList(text)
	case "M":
		var members map[string]attributeValue
		err := json.Unmarshal(text, &members)
		a.value = &types.AttributeValueMemberM{Value: imageOf(members)}
		return err
	}
	return fmt.Errorf("invalid attribute type %q: want one of DynamoDB's", kind)
}

func (a *attributeValue) readList(text json.RawMessage) error {
	var elements []attributeValue
	if err := json.Unmarshal(text, &elements); err != nil {
		return err
	}
	v := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(elements))}
	for i, element := range elements {
		v.Value[i] = element.value
	}
	a.value = v
	return nil
}
