// Package objects stands in for S3: gofakes3 keeps one bucket in a folder or in memory,
// and a guard before it lets in from outside what S3 would, of the two ways that clients
// have: a presigned form that uploads, and a presigned link that downloads. gofakes3
// itself checks no signature, no policy and no time.
//
// Functions, whose roles IAM would check, pass the guard by Do. A test runs one suite
// against this and against another S3 server.
package objects

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/streamroom/streamroom/local/inprocess"
)

// Config configures a Store.
type Config struct {
	Bucket      string // its only one
	Dir         string // where it is kept; "" for in memory
	Path        string // before the bucket's name in URLs, such as /objects
	Region      string
	Credentials aws.Credentials // by which forms and links are signed
	Now         func() time.Time

	// Lifecycle is how long objects whose keys begin with a prefix are kept, as a rule of
	// the bucket says.
	Lifecycle map[string]time.Duration
}

// Store is an S3 server with one bucket.
type Store struct {
	c       Config
	backend gofakes3.Backend
	server  http.Handler
	signer  *v4.Signer
	swept   atomic.Int64 // when objects that have expired were last removed, seconds
}

// Open opens the bucket, which need not exist yet.
func Open(c Config) (*Store, error) {
	backend, err := openBackend(c)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", c.Bucket, err)
	}
	// Requests are signed by the clock of those who sign, which may be moved.
	server := gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0), gofakes3.WithoutVersioning()).Server()
	return &Store{
		c: c, backend: backend, server: server,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}, nil
}

func openBackend(c Config) (gofakes3.Backend, error) {
	if c.Dir == "" {
		memory := s3mem.New(s3mem.WithTimeSource(timeSource(c.Now)))
		return memory, memory.CreateBucket(c.Bucket)
	}
	files, filesErr := s3afero.FsPath(filepath.Join(c.Dir, "files"), s3afero.FsPathCreateAll)
	about, aboutErr := s3afero.FsPath(filepath.Join(c.Dir, "about"), s3afero.FsPathCreateAll)
	if err := errors.Join(filesErr, aboutErr); err != nil {
		return nil, err
	}
	folder, err := s3afero.SingleBucket(c.Bucket, files, about)
	return paged{folder}, err
}

// Do serves a request without the guard: it is the HTTP client of those who may do
// anything.
func (s *Store) Do(r *http.Request) (*http.Response, error) {
	s.sweep()
	return inprocess.Client{Handler: http.StripPrefix(s.c.Path, s.server)}.Do(r)
}

// RoundTrip implements http.RoundTripper, as Do.
func (s *Store) RoundTrip(r *http.Request) (*http.Response, error) { return s.Do(r) }

// Unguarded serves S3's paths, without Config.Path, to those who may do anything.
func (s *Store) Unguarded() http.Handler { return s.server }

// ServeHTTP serves a presigned form or a presigned link, and refuses all else.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.c.Path), "/"), "/")
	s.sweep()
	var err error
	switch {
	case bucket != s.c.Bucket:
		err = refusal{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	case r.Method == http.MethodPost && key == "":
		err = s.upload(w, r)
	case key == "":
		err = refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case r.Method == http.MethodGet:
		if err = s.checkLink(r); err == nil {
			s.download(w, r)
		}
	default:
		if err = s.checkLink(r); err == nil { // which is none that clients are given
			err = refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
		}
	}
	if err != nil {
		answerError(w, err)
	}
}

// sweepEvery is how often expired objects are removed, at most: S3 does it once a day
// ("Managing the lifecycle of objects", Amazon S3 User Guide).
const sweepEvery = time.Hour

// sweep removes the objects that have expired, if it is time.
func (s *Store) sweep() {
	now, last := s.c.Now(), s.swept.Load()
	if now.Unix()-last < int64(sweepEvery.Seconds()) || !s.swept.CompareAndSwap(last, now.Unix()) {
		return
	}
	for prefix, life := range s.c.Lifecycle {
		listed, err := s.backend.ListBucket(s.c.Bucket, &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
		if err != nil {
			continue // the next sweep tries again
		}
		for _, object := range listed.Contents {
			if object.LastModified.Add(life).Before(now) {
				_, _ = s.backend.DeleteObject(s.c.Bucket, object.Key) // as above
			}
		}
	}
}

// timeSource is the clock of a backend.
type timeSource func() time.Time

// Now implements gofakes3.TimeSource.
func (t timeSource) Now() time.Time { return t() }

// Since implements gofakes3.TimeSource.
func (t timeSource) Since(then time.Time) time.Duration { return t().Sub(then) }

// download answers with an object. This server has pages, too, so a browser must take no
// object for one of them.
func (s *Store) download(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.StripPrefix(s.c.Path, s.server).ServeHTTP(withoutRequestHeaders{w}, r)
}

// withoutRequestHeaders leaves out the headers of the request that stored an object, which
// gofakes3 keeps with its metadata.
type withoutRequestHeaders struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w withoutRequestHeaders) WriteHeader(status int) {
	w.clean()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w withoutRequestHeaders) Write(p []byte) (int, error) {
	w.clean()
	return w.ResponseWriter.Write(p)
}

func (w withoutRequestHeaders) clean() {
	for name := range w.Header() {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Request-Id" {
			w.Header().Del(name)
		}
	}
}
