package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// APIPath is the first segment of the paths of Lambda's REST API that API
// answers.
const APIPath = "/2015-03-31"

// The collections below APIPath.
const (
	functionsPath = APIPath + "/functions/"
	mappingsPath  = APIPath + "/event-source-mappings"
)

// API answers what operators' tools ask of Lambda, as an SDK client expects it:
// Invoke (RequestResponse and DryRun), ListEventSourceMappings,
// GetEventSourceMapping, and of UpdateEventSourceMapping its Enabled.
type API struct {
	invoker  *Invoker
	mappings []*Mapping
}

// NewAPI returns an API on functions and on mappings to them.
func NewAPI(invoker *Invoker, mappings ...*Mapping) *API {
	return &API{invoker: invoker, mappings: mappings}
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, functionsPath); ok {
		escaped, isInvoke := strings.CutSuffix(rest, "/invocations")
		name, err := url.PathUnescape(escaped)
		if isInvoke && err == nil && r.Method == http.MethodPost {
			a.invoke(w, r, name[strings.LastIndexByte(name, ':')+1:])
			return
		}
	}
	if rest, ok := strings.CutPrefix(path, mappingsPath); ok {
		a.serveMappings(w, r, strings.Trim(rest, "/"))
		return
	}
	refuse(w, http.StatusNotFound, "UnknownOperationException", "The local Lambda leaves out "+r.Method+" "+path)
}

func (a *API) invoke(w http.ResponseWriter, r *http.Request, name string) {
	kind := r.Header.Get("X-Amz-Invocation-Type")
	switch {
	case kind == "DryRun":
		if !a.invoker.knows(name) {
			refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+FunctionARN(name))
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	case kind != "" && kind != "RequestResponse":
		refuse(w, http.StatusBadRequest, "InvalidParameterValueException", "The local Lambda leaves out invocations of type "+kind)
		return
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, MaxRequestBytes+1))
	if err != nil {
		return // the caller is gone
	}
	result, err := a.invoker.Invoke(r.Context(), name, payload)
	switch {
	case errors.Is(err, ErrUnknownFunction):
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+FunctionARN(name))
	case errors.Is(err, ErrThrottled):
		refuse(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	case errors.Is(err, ErrRequestTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "ServiceException", "An error occurred and the request cannot be processed.")
	default:
		w.Header().Set("X-Amzn-Requestid", result.RequestID)
		w.Header().Set("X-Amz-Executed-Version", result.ExecutedVersion)
		if result.FunctionError != "" {
			w.Header().Set("X-Amz-Function-Error", result.FunctionError)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(result.Payload) // a caller that went away needs no answer
	}
}

// mappingState is how Lambda shows a mapping; what tools don't ask for is left
// out.
type mappingState struct {
	UUID           string
	EventSourceArn string
	FunctionArn    string
	State          string
	BatchSize      int
}

func (m *Mapping) state() mappingState {
	return mappingState{m.ID(), m.config.StreamARN, FunctionARN(m.config.Mapping.Function), m.State(), m.config.Mapping.BatchSize}
}

func (a *API) serveMappings(w http.ResponseWriter, r *http.Request, id string) {
	if id == "" && r.Method == http.MethodGet {
		function, source := r.URL.Query().Get("FunctionName"), r.URL.Query().Get("EventSourceArn")
		listed := []mappingState{}
		for _, m := range a.mappings {
			name := m.config.Mapping.Function
			if (function == "" || function == name || function == FunctionARN(name)) && (source == "" || source == m.config.StreamARN) {
				listed = append(listed, m.state())
			}
		}
		reply(w, http.StatusOK, map[string]any{"EventSourceMappings": listed})
		return
	}
	i := slices.IndexFunc(a.mappings, func(m *Mapping) bool { return m.ID() == id })
	if i < 0 {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
		return
	}
	switch m := a.mappings[i]; r.Method {
	case http.MethodGet:
		reply(w, http.StatusOK, m.state())
	case http.MethodPut:
		var change struct{ Enabled *bool }
		if err := json.NewDecoder(io.LimitReader(r.Body, MaxRequestBytes)).Decode(&change); err != nil || change.Enabled == nil {
			refuse(w, http.StatusBadRequest, "InvalidParameterValueException", "The local Lambda changes only Enabled of a mapping")
			return
		}
		m.SetEnabled(*change.Enabled)
		reply(w, http.StatusAccepted, m.state())
	default:
		refuse(w, http.StatusMethodNotAllowed, "UnknownOperationException", "The local Lambda leaves out "+r.Method+" of mappings")
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "cannot render the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a caller that went away needs no answer
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	reply(w, status, map[string]string{"Type": "User", "Message": message})
}
