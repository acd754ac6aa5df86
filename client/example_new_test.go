package client_test

import (
	"context"
	"fmt"

	"github.com/streamroom/streamroom/client"
)

// The addresses are those that a deployment prints. The Token function is called for each
// connection, and when a token is about to end.
func ExampleNew() {
	_, err := client.New(client.Options{
		WebSocketURL: "wss://abc.execute-api.eu-central-1.amazonaws.com/prod",
		APIURL:       "https://def.execute-api.eu-central-1.amazonaws.com",
		Token:        func(context.Context) (string, error) { return "a JWT", nil },
	})
	fmt.Println(err)

	_, err = client.New(client.Options{WebSocketURL: "https://example.com"})
	fmt.Println(err)
	// Output:
	// <nil>
	// client: invalid WebSocketURL: want a ws:// or wss:// URL, got "https://example.com"
}
