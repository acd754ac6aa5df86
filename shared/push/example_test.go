package push_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/shared/push"
)

// One frame goes to two connections, one of which has ended. The server stands
// in for API Gateway's management API.
func ExamplePusher_Push() {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/local/@connections/closed" {
			w.Header().Set("X-Amzn-ErrorType", "GoneException")
			w.WriteHeader(http.StatusGone)
			return
		}
		frame, _ := io.ReadAll(r.Body)
		fmt.Printf("the gateway got %s\n", frame)
	}))
	defer gateway.Close()

	pusher, err := push.New(push.Config{
		Endpoint:    gateway.URL + "/local",
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	if err != nil {
		log.Print(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	frame := []byte(`{"type":"gap","chatRoomId":"general"}`)
	deliveries := pusher.Push(ctx, []push.Post{
		{ConnectionID: "open", Data: frame},
		{ConnectionID: "closed", Data: frame},
	})
	for _, d := range deliveries { // in the order of the posts
		fmt.Println(d.Outcome)
	}
	// Output:
	// the gateway got {"type":"gap","chatRoomId":"general"}
	// delivered
	// gone
}
