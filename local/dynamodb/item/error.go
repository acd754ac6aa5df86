package item

// Error reports a value that DynamoDB does not store; its text is DynamoDB's.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalid(message string) error { return &Error{Message: message} }
