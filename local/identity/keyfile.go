package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/streamroom/streamroom/shared/atomicfile"
)

const (
	keyBits     = 2048 // what Cognito uses
	keyFileName = "identity-key.pem"
	pemType     = "PRIVATE KEY" // PKCS #8
)

// openKey reads the key of folder dir, or makes one the first time.
func openKey(dir string) (*rsa.PrivateKey, error) {
	if dir == "" {
		return memoryKey()
	}
	path := filepath.Join(dir, keyFileName)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = newKey(); err != nil {
		return nil, err
	}
	if err := writeKey(dir, path, key); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return readKey(path) // another process was first
		}
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	return key, nil
}

// memoryKey is the key of the pools without a folder. They share it: a process has one
// such pool, and where it has several, as in tests, their issuers tell tokens apart.
var memoryKey = sync.OnceValues(newKey)

func newKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

func readKey(path string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user's own data folder
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err) // names the file
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("key file %s is damaged: %w; delete it to start with a new key, which ends the tokens of the old one", path, err)
	}
	return key, nil
}

func parseKey(data []byte) (*rsa.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != pemType || len(rest) > 0 {
		return nil, fmt.Errorf("it is not one PEM block of type %q", pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < keyBits {
		return nil, fmt.Errorf("it holds no RSA key of %d bits or more", keyBits)
	}
	return key, nil
}

// writeKey puts the whole file there at once, for its owner only, and fails
// with fs.ErrExist instead of replacing one.
func writeKey(dir, path string, key *rsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Create(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}
