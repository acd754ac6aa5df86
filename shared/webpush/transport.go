package webpush

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// ErrInner is why a connection is not made.
var ErrInner = errors.New("the endpoint leads to an address that is not on the internet")

// Transport returns a way to push services. It dials no address of this machine, of a
// private network or of a link, and uses no proxy.
func Transport() *http.Transport {
	dialer := &net.Dialer{Timeout: attemptTimeout, Control: func(_, address string, _ syscall.RawConn) error { return onInternet(address) }}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    attemptTimeout,
		MaxIdleConnsPerHost:    inFlight,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
	}
}

// onInternet checks an address once a name is resolved to it, right before it is dialled.
func onInternet(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !chat.PublicAddress(at.Addr()) {
		return fmt.Errorf("%w: %s", ErrInner, address)
	}
	return nil
}
