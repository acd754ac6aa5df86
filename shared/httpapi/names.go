package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/streamroom/streamroom/shared/chat"
)

// checkNames refuses what encoding/json lets pass in a body that it could decode
// into a struct: names in other cases, such as "NAME" for "name", and names that are
// there twice, of which it takes the last and other programs the first.
func checkNames(body []byte, into any) error {
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(into).Elem()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
	}
	n := names{json.NewDecoder(bytes.NewReader(body))}
	if _, err := n.tokens.Token(); err != nil {
		return fmt.Errorf("read a body that was read before: %w", err)
	}
	return n.object(known)
}

// names reads the names in a JSON text, which is valid.
type names struct{ tokens *json.Decoder }

// object reads an object after its opening brace. Names that are not known are
// refused, unless known is nil.
func (n names) object(known map[string]bool) error {
	seen := map[string]bool{}
	for n.tokens.More() {
		token, err := n.tokens.Token()
		name, ok := token.(string)
		switch {
		case err != nil || !ok:
			return fmt.Errorf("read a name: %w", err)
		case known != nil && !known[name]:
			return chat.Errorf(chat.CodeInvalidRequest, "unknown field %q; leave it out", name)
		case seen[name]:
			return chat.Errorf(chat.CodeInvalidRequest, "invalid body: want each name once, got %q twice", name)
		}
		seen[name] = true
		if err := n.value(); err != nil {
			return err
		}
	}
	_, err := n.tokens.Token()
	return err //nolint:wrapcheck // there is none: the text is valid
}

func (n names) value() error {
	token, err := n.tokens.Token()
	if err != nil {
		return fmt.Errorf("read a value: %w", err)
	}
	switch token {
	case json.Delim('{'):
		return n.object(nil)
	case json.Delim('['):
		for n.tokens.More() {
			if err := n.value(); err != nil {
				return err
			}
		}
		_, err = n.tokens.Token()
	}
	return err //nolint:wrapcheck // there is none: the text is valid
}
