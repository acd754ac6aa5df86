package local

import "github.com/streamroom/streamroom/local/identity"

// State is what outlives a server without a data folder: the table and how far its stream
// was read, attachments, and the user pool's key. Servers that get the same one, one after
// the other at the same address, are one Streamroom that is restarted, without a file. The
// zero value is that of a new Streamroom.
type State struct {
	data data
	pool *identity.Pool // nil: no server has used it
}

// Close ends it, after the last server has stopped.
func (s *State) Close() error { return s.data.close() }

// take gives the server what one before it has left, and reports whether there was one.
func (s *State) take(by *Server) bool {
	if s == nil || s.pool == nil {
		return false
	}
	by.data, by.pool = s.data, s.pool
	return true
}

// keep takes what the server has opened.
func (s *State) keep(of *Server) {
	if s != nil {
		s.data, s.pool = of.data, of.pool
	}
}

// keeps reports whether it outlives the server.
func (s *State) keeps() bool { return s != nil && s.pool != nil }
