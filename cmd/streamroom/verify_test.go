package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// sendFile uploads a file, sends a message that has it, and returns its id.
func sendFile(t *testing.T, user *client.Client, socket *rig.Socket, room string) string {
	t.Helper()
	const content = "hello"
	id, err := user.Attach(t.Context(), room, client.File{
		Name: "a.txt", ContentType: "text/plain", Size: int64(len(content)), Content: strings.NewReader(content),
	})
	if err != nil {
		t.Fatal(err)
	}
	socket.Write(`{"action":"sendMessage","chatRoomId":"` + room + `","content":"","attachments":["` + id + `"]}`)
	socket.Expect(wire.TypeAck)
	return id
}

// TestVerify_RepairsTheBucket plants what a crash or a mistake leaves in the bucket of a
// local Streamroom, in both directions.
func TestVerify_RepairsTheBucket(t *testing.T) {
	for name, dir := range map[string]string{"in memory": "", "in a folder": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			s := rig.Start(t, local.Config{DataDir: dir})
			room := s.Room("alice", "bob")
			alice, socket := api(t, s.Server, "alice"), s.Connect("alice")
			whole, lost, stray := sendFile(t, alice, socket, room), sendFile(t, alice, socket, room), ulid.Make().String()
			bucket := s3.NewFromConfig(s.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true })
			name := aws.String(local.AttachmentsBucket)
			_, err := bucket.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: aws.String(objects.Key(room, lost))})
			if err != nil {
				t.Fatal(err)
			}
			_, err = bucket.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: name, Key: aws.String(objects.Key(room, stray)), Body: strings.NewReader("hello"),
			})
			if err != nil {
				t.Fatal(err)
			}
			settled := func(want int, says []string, args ...string) {
				t.Helper()
				rig.Eventually(t, strings.Join(says, ", "), func() bool { // until consumers have seen the messages
					code, stdout, stderr := tool(t, append(args, "--endpoint", s.TableURL(), "--settle", "0s")...)
					for _, text := range says {
						if !strings.Contains(stdout, text) {
							t.Logf("%s%s", stdout, stderr)
							return false
						}
					}
					return code == want
				})
			}
			strayKey, lostProblem := objects.Key(room, stray), "its file is not in the bucket, and the message "
			settled(exitIncomplete, []string{lostProblem, " and 2 files checked: 1 difference, 0 fixed."}, "verify") // the other is young
			settled(exitIncomplete, []string{lostProblem, strayKey, ": 2 differences, 0 fixed."}, "verify", "--min-age", "0s")
			settled(exitDone, []string{"Not checked: the files of attachments.", " items checked, 0 differ."}, "verify", "--files=false")
			settled(exitDone, []string{lostProblem, strayKey, " and 2 files checked, 2 fixed."}, "verify", "--min-age", "0s", "--repair")
			settled(exitDone, []string{" and 1 file checked, 0 differ."}, "verify", "--min-age", "0s", "--repair")

			var refused *client.Error
			if _, err := alice.Download(t.Context(), room, lost); !errors.As(err, &refused) || refused.Code != client.CodeNotAMember {
				t.Errorf("the lost file is answered %v", err)
			}
			file, err := alice.Download(t.Context(), room, whole)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if text, err := io.ReadAll(file); err != nil || string(text) != "hello" {
				t.Errorf("the other file is %q, %v", text, err)
			}
		})
	}
}

// TestVerify_LeavesTheFilesOfAnotherTable: a copy of the table has other items than the
// bucket has files.
func TestVerify_LeavesTheFilesOfAnotherTable(t *testing.T) {
	w := where{endpoint: "http://127.0.0.1:1", table: "a-copy"}
	if _, d, err := w.open(t.Context(), ""); err != nil || d.Attachments != "" || d.Table != "a-copy" {
		t.Errorf("%+v, %v", d, err)
	}
	w.attachments = "its-own"
	if _, d, err := w.open(t.Context(), ""); err != nil || d.Attachments != "its-own" {
		t.Errorf("%+v, %v", d, err)
	}
	w = where{endpoint: "http://127.0.0.1:1", table: local.TableName}
	if _, d, err := w.open(t.Context(), ""); err != nil || d.Attachments != local.AttachmentsBucket {
		t.Errorf("%+v, %v", d, err)
	}
}
