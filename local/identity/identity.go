// Package identity stands in for the user pool while developing. It signs
// tokens of the shape of Cognito's access tokens for any user name, without a
// password, and publishes the key that verifies them. It is for development
// only: anyone who reaches it can be any user.
//
// The claims are those that the Amazon Cognito Developer Guide lists for access
// tokens, on its page "Understanding the access token"; the keys are published as
// on "Verifying JSON web tokens". A token here has no refresh token beside it, and
// there is no sign-in page.
package identity

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/streamroom/streamroom/shared/chat"
)

// The paths below the issuer, as those of a user pool.
const (
	DescriptionPath = "/.well-known/openid-configuration"
	KeysPath        = "/.well-known/jwks.json"
)

// ClientID is the client that every token is for.
const ClientID = "streamroom-local"

const (
	defaultLife = time.Hour
	// maxLife is the longest life that Cognito can give to an access token.
	maxLife = 24 * time.Hour
)

// Pool signs tokens. It is safe for concurrent use.
type Pool struct {
	// SignedIn, if set, hears of each user before their token is handed out over
	// HTTP, as a user pool's trigger does. Set it before serving.
	SignedIn func(ctx context.Context, userID string) error

	// Services are the names of those that get tokens of their own. Set it before serving.
	Services []string

	// AllowOrigin, if set, reports whether pages of another origin may have tokens.
	// Set it before serving.
	AllowOrigin func(origin string) bool

	issuer string
	now    func() time.Time
	key    *rsa.PrivateKey
	keyID  string
	keySet []byte // the public key as a JSON Web Key Set

	description []byte // of the issuer, with where the keys are
}

// Open returns a pool that signs for the issuer, which must be the address
// below which ServeDescription and ServeJWKS are reached. Its key is kept in folder dir, so that tokens
// outlive a restart; both are created if they do not exist. With dir "" the key
// lives as long as the process. An error names the file or folder to look at.
func Open(dir, issuer string, now func() time.Time) (*Pool, error) {
	if issuer == "" || now == nil {
		return nil, errors.New("identity: invalid pool: want an issuer and a clock")
	}
	key, err := openKey(dir)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	p := &Pool{issuer: issuer, now: now, key: key}
	if err := p.publish(); err != nil {
		return nil, fmt.Errorf("identity: publish key: %w", err)
	}
	return p, nil
}

// publish derives the key's id and the key set. The id is the key's thumbprint
// (RFC 7638), so that it changes with the key and only then.
func (p *Pool) publish() error {
	options := jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.AlgRS256, USE: jwkset.UseSig}}
	key, err := jwkset.NewJWKFromKey(&p.key.PublicKey, options)
	if err != nil {
		return err
	}
	public := key.Marshal()
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"e":%q,"kty":"RSA","n":%q}`, public.E, public.N))
	p.keyID = base64.RawURLEncoding.EncodeToString(thumbprint[:])
	public.KID = p.keyID
	if p.keySet, err = json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{public}}); err != nil {
		return err
	}
	p.description, err = json.Marshal(map[string]any{
		"issuer": p.issuer, "jwks_uri": p.issuer + KeysPath,
		"response_types_supported": []string{"token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{jwkset.AlgRS256.String()},
	})
	return err
}

// userIDs is how the pool spells its users: it ignores case, and gives lower case,
// as the pool that infra makes.
var userIDs = chat.UserIDs{FoldCase: true}

// spelled returns a user's name as the pool spells it.
func spelled(user string) (string, error) {
	name, err := userIDs.Normalize(user)
	if err != nil {
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid user: %s", chat.Reason(err).Message)
	}
	if chat.IsService(name) {
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid user: want a user's id, got a service's; ask for a token of the service")
	}
	return name, nil
}

// Token returns a signed token for the user, whose name may be typed in any way
// that chat.UserIDs takes. It ends expiresIn from now, at most 24 h
// either way and in whole seconds: a negative time gives one that has ended, 0
// stands for an hour. Bad arguments are a *chat.Error with CodeInvalidRequest.
func (p *Pool) Token(user string, expiresIn time.Duration) (string, error) {
	user, err := spelled(user)
	if err != nil {
		return "", err
	}
	subject := sha256.Sum256([]byte("streamroom user " + user))
	return p.sign(expiresIn, jwt.MapClaims{
		"client_id": ClientID,
		"sub":       uuid.Must(uuid.NewRandomFromReader(bytes.NewReader(subject[:]))).String(), // as in a pool, opaque and the same every time
		"username":  user,
	})
}

// ServiceClientID returns the client id of a service.
func ServiceClientID(name string) string { return "streamroom-local-" + name }

// ServiceToken returns a signed token for one of the Services, as the flow of client
// credentials gives it: it names no user. Time and errors are those of Token.
func (p *Pool) ServiceToken(name, scope string, expiresIn time.Duration) (string, error) {
	if !slices.Contains(p.Services, name) {
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid service: want one of %q, got %q; add more with --service", p.Services, name)
	}
	return p.sign(expiresIn, jwt.MapClaims{
		"client_id": ServiceClientID(name),
		"sub":       ServiceClientID(name),
		"scope":     scope,
		"version":   2,
	})
}

// sign returns a token with some claims and those that all tokens have.
func (p *Pool) sign(expiresIn time.Duration, claims jwt.MapClaims) (string, error) {
	if expiresIn < -maxLife || expiresIn > maxLife {
		return "", chat.Errorf(chat.CodeInvalidRequest, "a token ends at most %v from now, or ended as long ago", maxLife)
	}
	if expiresIn == 0 {
		expiresIn = defaultLife
	}
	issuedAt := p.now()
	expiresAt := issuedAt.Add(expiresIn)
	if expiresIn < 0 {
		issuedAt = expiresAt.Add(-defaultLife) // a token that has ended was issued before
	}
	claims["iss"], claims["token_use"], claims["jti"] = p.issuer, "access", uuid.NewString()
	claims["iat"], claims["exp"] = issuedAt.Unix(), expiresAt.Unix()

	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header = map[string]any{"kid": p.keyID, "alg": token.Method.Alg()}
	signed, err := token.SignedString(p.key)
	if err != nil {
		return "", fmt.Errorf("identity: sign token: %w", err)
	}
	return signed, nil
}
