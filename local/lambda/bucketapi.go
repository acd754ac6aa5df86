package lambda

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// BucketPath is the path of the bucket below an endpoint, in S3's path style.
const BucketPath = "/failures"

// maxListed is the most that one ListObjectsV2 answers, as of S3.
const maxListed = 1000

// BucketAPI shows a Bucket to an SDK client as S3 shows the bucket of on-failure
// records: ListObjectsV2, GetObject, PutObject and DeleteObject, in path style, without
// checks of a signature.
type BucketAPI struct{ bucket *Bucket }

// NewBucketAPI returns a BucketAPI on a bucket.
func NewBucketAPI(bucket *Bucket) *BucketAPI { return &BucketAPI{bucket} }

// ServeHTTP answers a request whose path begins with BucketPath.
func (a *BucketAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amz-Request-Id", uuid.NewString()) // by which S3's answers are known
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, BucketPath), "/")
	switch {
	case r.Method == http.MethodGet && key == "" && r.URL.Query().Get("list-type") == "2":
		a.list(w, r)
	case r.Method == http.MethodGet && key != "":
		a.get(w, key)
	case r.Method == http.MethodPut && key != "":
		a.put(w, r, key)
	case r.Method == http.MethodDelete && key != "":
		a.remove(w, key)
	default:
		answerXML(w, http.StatusNotImplemented, bucketError{Code: "NotImplemented", Message: "want ListObjectsV2, GetObject, PutObject or DeleteObject"})
	}
}

// bucketError is an error of S3.
type bucketError struct {
	XMLName struct{} `xml:"Error"`
	Code    string
	Message string
}

// listing is the answer of ListObjectsV2.
type listing struct {
	XMLName               struct{} `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key          string
	LastModified string
	Size         int
}

// list answers in the order of the keys. The token is the last key that was answered.
func (a *BucketAPI) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	most, err := strconv.Atoi(query.Get("max-keys"))
	if err != nil || most < 1 || most > maxListed {
		most = maxListed
	}
	out := listing{Name: strings.TrimPrefix(BucketPath, "/"), Prefix: query.Get("prefix"), MaxKeys: most}
	for _, e := range a.bucket.sorted() {
		key := e.Key()
		if !strings.HasPrefix(key, out.Prefix) || key <= query.Get("continuation-token") {
			continue
		}
		if len(out.Contents) == most {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[most-1].Key
			break
		}
		at, _ := time.Parse(time.RFC3339, e.Failure.Timestamp)
		out.Contents = append(out.Contents, listed{key, at.UTC().Format("2006-01-02T15:04:05.000Z"), len(e.Failure.Payload)})
	}
	out.KeyCount = len(out.Contents)
	answerXML(w, http.StatusOK, out)
}

func (a *BucketAPI) get(w http.ResponseWriter, key string) {
	for _, e := range a.bucket.List() {
		if e.Key() != key {
			continue
		}
		text, err := json.Marshal(e.Failure)
		if err != nil {
			answerXML(w, http.StatusInternalServerError, bucketError{Code: "InternalError", Message: err.Error()})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // a client that went away needs no answer
		return
	}
	answerXML(w, http.StatusNotFound, bucketError{Code: "NoSuchKey", Message: "The specified key does not exist."})
}

// put takes on-failure records only.
func (a *BucketAPI) put(w http.ResponseWriter, r *http.Request, key string) {
	var f eventsource.Failure
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxStoredBytes))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		answerXML(w, http.StatusBadRequest, bucketError{Code: "InvalidRequest", Message: "want an on-failure record: " + err.Error()})
		return
	}
	if err := a.bucket.add(StoredFailure{ID: eventsource.FailureID(key), Path: key, Failure: f}); err != nil {
		answerXML(w, http.StatusInternalServerError, bucketError{Code: "InternalError", Message: err.Error()})
	}
}

// remove succeeds for objects that do not exist, as S3 does.
func (a *BucketAPI) remove(w http.ResponseWriter, key string) {
	for _, e := range a.bucket.List() {
		if e.Key() != key {
			continue
		}
		if err := a.bucket.Delete(e.ID); err != nil && !errors.Is(err, ErrNoEntry) {
			answerXML(w, http.StatusInternalServerError, bucketError{Code: "InternalError", Message: err.Error()})
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func answerXML(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that went away needs no answer
}
