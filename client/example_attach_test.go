package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/streamroom/streamroom/client"
)

// Attach uploads a file, and returns its id. Send with WithAttachments then puts
// it into a message, whose room's members may download it. The server below stands in for
// the API and for its store of files.
func ExampleClient_Attach() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server := httptest.NewServer(&files{})
	defer server.Close()
	c, err := client.New(client.Options{
		APIURL: server.URL,
		Token: func(context.Context) (string, error) {
			return "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", nil // {"alg":"none"}.{"sub":"alice"}
		},
		HTTPClient: server.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	const notes = "bring cake"
	id, err := c.Attach(ctx, "general", client.File{
		Name: "notes.txt", ContentType: "text/plain", Size: int64(len(notes)), Content: strings.NewReader(notes),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("uploaded", id)

	file, err := c.Download(ctx, "general", id)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	fmt.Println(string(text), err)
	// Output:
	// uploaded file-1
	// bring cake <nil>
}

// files is a server with one file.
type files struct{ content string }

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	store := "http://" + r.Host + "/store"
	switch r.Method + " " + r.URL.Path {
	case "POST /rooms/general/attachments": // a file is announced
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"attachmentId":"file-1","upload":{"url":%q,"fields":{"key":"file-1"}}}`, store)
	case "POST /store": // and uploaded by a form
		file, _, err := r.FormFile("file")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		content, _ := io.ReadAll(file)
		f.content = string(content)
		w.WriteHeader(http.StatusNoContent)
	case "GET /rooms/general/attachments/file-1": // a link to it is asked for
		fmt.Fprintf(w, `{"url":%q}`, store)
	case "GET /store":
		_, _ = io.WriteString(w, f.content)
	}
}
