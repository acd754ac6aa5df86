// Package webpush sends Web Push: it takes notification events, and has the push services
// of users' browsers show that a message came (RFC 8030, encrypted by RFC 8291, signed by
// RFC 8292).
//
// A browser's endpoint is a URL that a user gives. So no redirect is followed, and a
// connection is made only to an address on the internet, whatever a name resolves to.
//
// An endpoint that fails is tried again within the invocation. An event fails, and is
// delivered again, only if none of its pushes succeeded: one user's broken endpoint has no
// one else notified twice.
//
// It has nothing to do with package push, which posts frames to connections.
package webpush
