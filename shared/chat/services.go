package chat

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// servicePrefix begins the ids of services among those of users.
const servicePrefix = "service:"

// ServiceScope is the scope that the token of a service has.
const ServiceScope = "streamroom/service"

// MaxServiceName is the longest name of a service, in bytes.
const MaxServiceName = 32

var serviceName = regexp.MustCompile(`\A[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*\z`)

// ServiceID returns the id of a service by its name. A service is a program of the
// operator's, such as a bot, that acts by the HTTP API. It has an id like a user's, by
// which it is the sender of its messages, has a display name, and may be a member of
// rooms and be mentioned there. In every room it acts as what rights says of Service,
// whether or not it is a member.
func ServiceID(name string) string { return servicePrefix + name }

// IsService reports whether an id is a service's. No user has such an id: package auth
// refuses their tokens.
func IsService(userID string) bool { return strings.HasPrefix(userID, servicePrefix) }

// ValidateServiceName checks a service's name: words of a to z and 0 to 9, each beginning
// with a letter, with hyphens between them, and at most MaxServiceName bytes.
func ValidateServiceName(name string) error {
	if len(name) > MaxServiceName || !serviceName.MatchString(name) {
		return Errorf(CodeInvalidRequest, "invalid service: want a name such as bot or news-feed, of at most %d a-z, 0-9 and hyphens, got %s", MaxServiceName, quote(name))
	}
	return nil
}

// roomReader reads rooms by their ids.
type roomReader interface {
	// Room reads a room; false if it does not exist.
	Room(ctx context.Context, roomID string) (Room, bool, error)
}

// serviceRoom returns a room to a service, which acts in every room as its owners do.
//
// Errors: CodeInvalidRequest, CodeNotFound.
func serviceRoom(ctx context.Context, store roomReader, roomID string) (Room, error) {
	if err := ValidateRoomID(roomID); err != nil {
		return Room{}, err
	}
	room, ok, err := store.Room(ctx, roomID)
	if err != nil {
		return Room{}, fmt.Errorf("read room %s: %w", roomID, err)
	}
	if !ok {
		return Room{}, Errorf(CodeNotFound, "room %s does not exist", roomID)
	}
	return room, nil
}
