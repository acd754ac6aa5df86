package item

// Error says that a value is none that DynamoDB stores; its text is DynamoDB's.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalid(message string) error { return &Error{Message: message} }
