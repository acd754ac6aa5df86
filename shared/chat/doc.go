// Package chat is the domain: rooms, members, messages and connections, their
// rules, and the ports through which it is stored. It imports nothing of AWS,
// HTTP or a database. Clocks and randomness come from outside.
//
// Guarantees: a message that Sender.Send returned is stored. Two sends by one
// user with the same client message id store one message. Nothing is stored
// that could not be delivered in one frame.
//
// Errors that a client may see are of type *Error. All others are internal.
//
// All times are in milliseconds since 1970, unless a comment says otherwise.
//
// The ports are the interfaces named …Store. shared/dynamo implements them on
// DynamoDB, shared/chat/memory in memory, for tests; both pass the contract
// suite in shared/chat/storetest.
package chat
