package httpapi

import (
	_ "embed" // the description is a file
	"encoding/json"
	"net/http"
)

// Description is the API's description in OpenAPI 3.1.
//
//go:embed openapi.json
var Description []byte

// Frames is the description of the WebSocket's frames in AsyncAPI 3.
//
//go:embed asyncapi.json
var Frames []byte

func (a *API) description(*http.Request, string) (int, any, error) {
	return http.StatusOK, json.RawMessage(Description), nil
}

func (a *API) frames(*http.Request, string) (int, any, error) {
	return http.StatusOK, json.RawMessage(Frames), nil
}
