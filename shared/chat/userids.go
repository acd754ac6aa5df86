package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// UserIDs gives user ids their one normal form, so that an id is one user however
// it is typed. It is Unicode's form C, in lower case where FoldCase is set. Ids with
// characters that no one sees are refused, rather than changed.
type UserIDs struct {
	// FoldCase says that "Bob" and "bob" are one user, as they are in a user pool that
	// ignores case. Where they are two, it would give one of them the other's rooms.
	FoldCase bool
}

// Normalize returns the normal form of an id that a client sent. The normal form of
// a normal form is itself.
//
// Errors: CodeInvalidRequest.
func (u UserIDs) Normalize(id string) (string, error) {
	if len(id) > MaxUserID*utf8.UTFMax {
		return "", ValidateUserID(id) // it is too long in any form
	}
	normal := u.fold(norm.NFC.String(id))
	if err := ValidateUserID(normal); err != nil {
		return "", err
	}
	if strings.TrimSpace(normal) != normal {
		return "", Errorf(CodeInvalidRequest, "invalid userId: want no white space around it, got %s", quote(id))
	}
	first, _ := utf8.DecodeRuneInString(normal)
	if unicode.Is(unicode.M, first) {
		return "", Errorf(CodeInvalidRequest, "invalid userId: want no combining mark at its beginning, got %U", first)
	}
	if i := strings.IndexFunc(normal, unseen); i >= 0 {
		r, _ := utf8.DecodeRuneInString(normal[i:])
		return "", Errorf(CodeInvalidRequest, "invalid userId: want no invisible characters and no blanks but the space, got %U", r)
	}
	return normal, nil
}

// NormalizeAll is Normalize for several ids.
//
// Errors: CodeInvalidRequest.
func (u UserIDs) NormalizeAll(ids []string) ([]string, error) {
	normal := make([]string, len(ids))
	for i, id := range ids {
		var err error
		if normal[i], err = u.Normalize(id); err != nil {
			return nil, err
		}
	}
	return normal, nil
}

// OfClaim returns the normal form of an id in a token's claim. It refuses what is not
// in form C: an issuer that tells two spellings of "José" apart may have given them to
// two people, of whom the second must not become the first.
//
// Errors: CodeInvalidRequest.
func (u UserIDs) OfClaim(id string) (string, error) {
	if !norm.NFC.IsNormalString(id) {
		return "", Errorf(CodeInvalidRequest, "invalid userId: want Unicode's normal form C")
	}
	return u.Normalize(id)
}

// fold puts an id into lower case, in form C. Cognito gives lower case where a pool
// ignores case ("User pool case sensitivity", Amazon Cognito Developer Guide). It
// does not fold further: "ß" is not "ss", which would merge users of the pool.
func (u UserIDs) fold(id string) string {
	if !u.FoldCase {
		return id
	}
	// ToLower would give "i", and with it another user's id. Unicode gives two
	// characters (SpecialCasing.txt).
	id = strings.ReplaceAll(id, "\u0130", "i\u0307")
	return norm.NFC.String(strings.ToLower(id))
}

// quoteAll quotes some user ids for an error.
func quoteAll(userIDs []string) string {
	quoted := make([]string, len(userIDs))
	for i, id := range userIDs {
		quoted[i] = quote(id)
	}
	return strings.Join(quoted, ", ")
}

// unseen reports whether a character of an id can't be seen, or looks like a space.
func unseen(r rune) bool {
	switch {
	case r == ' ', unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case unicode.In(r, unicode.C, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Noncharacter_Code_Point):
		return true
	}
	return strings.ContainsRune("\u2800\ufffc", r) // the blank Braille pattern, the object replacement character
}
