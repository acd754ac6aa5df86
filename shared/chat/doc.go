// Package chat is the domain: rooms, members, messages and connections, the
// rules they keep, and the ports it needs. It knows nothing of AWS, of HTTP or
// of how things are stored. Clocks and randomness come from outside.
//
// Guarantees: a message that Sender.Send returned is stored. Two sends by one
// user with the same client message id store one message. Nothing is stored
// that could not be delivered in one frame.
//
// All times are in milliseconds since 1970, unless a name says otherwise.
package chat
