package dynamodb

import (
	"net/http"

	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// The names of errors, as the protocol spells them.
const (
	codeValidation         = "ValidationException"
	codeSerialization      = "SerializationException"
	codeUnknownOperation   = "UnknownOperationException"
	codeInternal           = "InternalServerError"
	codeTooLarge           = "RequestEntityTooLargeException"
	codeNotFound           = "ResourceNotFoundException"
	codeTableNotFound      = "TableNotFoundException"
	codeLimitExceeded      = "LimitExceededException"
	codeInUse              = "ResourceInUseException"
	codeConditionFailed    = "ConditionalCheckFailedException"
	codeCanceled           = "TransactionCanceledException"
	codeConflict           = "TransactionConflictException"
	codeTokenMismatch      = "IdempotentParameterMismatchException"
	codeTransactionRunning = "TransactionInProgressException"
	codeTrimmed            = "TrimmedDataAccessException"
	codeExpiredIterator    = "ExpiredIteratorException"
	namespaceDynamoDB      = "com.amazonaws.dynamodb.v20120810#"
	namespaceCoral         = "com.amazon.coral.service#"
	reasonNone             = "None"
	reasonConditionFailed  = "ConditionalCheckFailed"
	reasonConflict         = "TransactionConflict"
	reasonValidation       = "ValidationError"
	msgConditionFailed     = "The conditional request failed"
	msgTableNotFound       = "Requested resource not found"
	msgTransactionConflict = "Transaction is ongoing for the item"
	msgCanceled            = "Transaction cancelled, please refer cancellation reasons for specific reasons "
)

// Error is the answer to a rejected request.
type Error struct {
	Code    string // DynamoDB's name of the error, such as ValidationException
	Message string
	Item    item.Item // of a ConditionalCheckFailedException, where the request asked for it
	Reasons []Reason  // of a TransactionCanceledException, one for each action

	schema bool // the item does not fit its table's schema: cancels a transaction
}

// Reason is the outcome of one action in a cancelled transaction.
type Reason struct {
	Code    string // None for an action that would have gone through
	Message string
	Item    item.Item // where the condition failed and the action asked for it
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func validation(message string) error { return &Error{Code: codeValidation, Message: message} }

// misfit is a validation error of an item that does not fit its table's schema.
func misfit(message string) error {
	return &Error{Code: codeValidation, Message: message, schema: true}
}

// status returns the HTTP status.
func (e *Error) status() int {
	switch e.Code {
	case codeInternal:
		return http.StatusInternalServerError
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// appendJSON appends the error's body.
func (e *Error) appendJSON(dst []byte) []byte {
	namespace, message := namespaceDynamoDB, "message"
	switch e.Code {
	case codeSerialization, codeUnknownOperation, codeTooLarge, codeValidation:
		namespace = namespaceCoral
	case codeCanceled, codeTokenMismatch, codeTransactionRunning:
		message = "Message" // so DynamoDB spells it for these
	}
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "__type")
	dst = jsonio.AppendString(dst, namespace+e.Code)
	if e.Message != "" {
		dst = jsonio.AppendName(dst, message)
		dst = jsonio.AppendString(dst, e.Message)
	}
	if e.Item != nil {
		dst = jsonio.AppendName(dst, "Item")
		dst = e.Item.AppendJSON(dst)
	}
	if e.Reasons != nil {
		dst = jsonio.AppendName(dst, "CancellationReasons")
		dst = append(dst, '[')
		for _, r := range e.Reasons {
			dst = jsonio.AppendComma(dst)
			dst = r.appendJSON(dst)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (r *Reason) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "Code")
	dst = jsonio.AppendString(dst, r.Code)
	if r.Message != "" {
		dst = jsonio.AppendName(dst, "Message")
		dst = jsonio.AppendString(dst, r.Message)
	}
	if r.Item != nil {
		dst = jsonio.AppendName(dst, "Item")
		dst = r.Item.AppendJSON(dst)
	}
	return append(dst, '}')
}
