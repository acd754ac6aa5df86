package topology

import "strings"

// The stacks and outputs by which operators' tools find what was deployed.
const (
	DatabaseStack     = "Database"
	StorageStack      = "Storage"
	StreamsStack      = "Streams"
	TableOutput       = "TableName"
	FailuresOutput    = "FailuresBucket"
	AttachmentsOutput = "AttachmentsBucket"
)

// The prefixes of keys in the bucket of attachments: of uploads, and of the copies that
// messages have.
const (
	PendingPrefix = "pending/"
	RoomsPrefix   = "rooms/"
)

// StackName is the name of an environment's stack of one concern.
func StackName(env, concern string) string { return "Streamroom-" + env + "-" + concern }

// FunctionOutput is the output that has the name of a reader of the stream.
func FunctionOutput(function string) string {
	return strings.ToUpper(function[:1]) + function[1:] + "Function"
}
