package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// attachments returns the bucket of attachments.
func (c *cloud) attachments(t *testing.T) resource {
	t.Helper()
	var found []resource
	for _, r := range c.all("AWS::S3::Bucket") {
		if r.concern == topology.StorageStack {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("attachments have %d buckets, want one", len(found))
	}
	return found[0]
}

func TestAttachmentsAreKeptPrivately(t *testing.T) {
	for _, env := range environments {
		c := synth(t, env)
		bucket := c.attachments(t)
		bucket.expect(t, `"AES256"`, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm")
		bucket.expect(t, `"BucketOwnerEnforced"`, "OwnershipControls", "Rules", 0, "ObjectOwnership")
		bucket.expect(t, `null`, "VersioningConfiguration") // a version would outlive its message
		bucket.expect(t, `[{"ExpirationInDays":1,"Id":"pending","Prefix":"pending/","Status":"Enabled"},`+
			`{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Id":"incomplete","Status":"Enabled"}]`, "LifecycleConfiguration", "Rules")
		if !slices.ContainsFunc(c.statements(), func(s statement) bool {
			return s.fields["Effect"] == "Deny" && s.fields["Action"] == "s3:*" && at(s.fields, "Principal", "AWS") == "*" &&
				at(s.fields, "Resource", 0, "Fn::GetAtt", 0) == bucket.id && at(s.fields, "Resource", 1, "Fn::Join", 1, 1) == "/*" &&
				at(s.fields, "Condition", "Bool", "aws:SecureTransport") == "false"
		}) {
			t.Errorf("%s: the bucket can be used without TLS", env)
		}
	}
}

// A page that may call the HTTP API may upload, and read what it uploaded; no other may.
func TestAttachments_PagesOfTheAPIsOriginsReachThem(t *testing.T) {
	for origins, c := range map[string]*cloud{
		`["*"]`: synth(t, "dev"),
		`["https://chat.example","https://www.example"]`: synthWith(t, issuerSettings()),
	} {
		c.attachments(t).expect(t, `[{"AllowedMethods":["POST","GET"],"AllowedOrigins":`+origins+`,"MaxAge":3600}]`, "CorsConfiguration", "CorsRules")
		for _, r := range c.all("AWS::ApiGatewayV2::Api") {
			if r.concern == "Api" {
				r.expect(t, origins, "CorsConfiguration", "AllowOrigins")
			}
		}
	}
}

func TestRolesReachAttachmentsByPrefix(t *testing.T) {
	c := synth(t, "prod")
	bucket := "arn:aws:s3:::" + attachmentsBucket
	want := []string{
		"api [s3:GetObject s3:PutObject] " + bucket + "/pending/*", "api [s3:GetObject s3:PutObject] " + bucket + "/rooms/*",
		"api s3:ListBucket " + bucket,
		"lastmessage s3:DeleteObject " + bucket + "/rooms/*",
		"sendmessage s3:GetObject " + bucket + "/pending/*", "sendmessage s3:ListBucket " + bucket, "sendmessage s3:PutObject " + bucket + "/rooms/*",
	}
	var got []string
	for _, s := range c.statements() {
		if s.Type != "AWS::IAM::Policy" || isDeploymentHelper(s.resource) {
			continue
		}
		r := resolver{t, c, ""}
		for _, on := range r.texts(s.concern, s.fields["Resource"]) {
			if strings.HasPrefix(on, bucket) {
				function, _, _ := strings.Cut(s.id, "role")
				got = append(got, fmt.Sprintf("%s %s %s", function, s.fields["Action"], on))
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The functions that have grants on the bucket know its name, and no others do.
func TestFunctionsKnowTheirBucket(t *testing.T) {
	c := synth(t, "dev")
	for _, r := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(r) {
			continue
		}
		name := c.program(t, r)
		value := r.at("Environment", "Variables", config.Attachments)
		if !slices.Contains(functionOf(name).Variables, config.Attachments) {
			if value != nil {
				t.Errorf("%s does not read the bucket's name, and has it", name)
			}
			continue
		}
		if got := (resolver{t, c, ""}).text(r.concern, value); got != attachmentsBucket || objectGrants[name] == nil {
			t.Errorf("%s: the bucket is %q, and the grants are %v", name, got, objectGrants[name])
		}
	}
}

// Forms and links lead to the bucket in its region, and to nowhere else.
func TestThePageReachesAttachments(t *testing.T) {
	policy := policyOf(t, synth(t, "prod"))
	address := "https://" + attachmentsBucket + ".s3." + region + ".amazonaws.com"
	for _, directive := range []string{"connect-src 'self' wss://", "img-src data: 'self' blob: " + address + ";", "media-src 'self' blob: " + address + ";"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("the page's policy %q lacks %q", policy, directive)
		}
	}
	_, connect, _ := strings.Cut(policy, "connect-src")
	connect, _, _ = strings.Cut(connect, ";")
	if !strings.HasSuffix(connect, " "+address) || strings.Contains(policy, "invalid") {
		t.Errorf("the page can't upload: %s", connect)
	}
}

// attach sends a file from one user to another, each step in its function's role.
func (c *chatter) attach(from, to *rig.Socket, room string) {
	c.t.Helper()
	const content = "\x89PNG\r\n\x1a\n"
	var announced wire.AnnouncedAttachment
	path := "/rooms/" + room + "/attachments"
	file := wire.AttachmentRequest{Name: "tea.png", ContentType: "image/png", Size: int64(len(content))}
	c.api(from.User, http.MethodPost, path, file, http.StatusCreated, &announced)
	c.upload(announced.Upload, content)
	frame, err := json.Marshal(wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: room, Content: "hi", ClientMessageID: "c-file", Attachments: []string{announced.AttachmentID},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	from.Write(string(frame))
	from.Expect(wire.TypeAck)
	got := to.Expect(wire.TypeMessage)
	if len(got.Attachments) != 1 || got.Attachments[0].Name != "tea.png" {
		c.t.Fatalf("%s got %+v", to.User, got)
	}
	var link wire.Download
	c.api(to.User, http.MethodGet, path+"/"+announced.AttachmentID+"?redirect=false", nil, http.StatusOK, &link)
	if body := c.download(link.URL); body != content {
		c.t.Errorf("%s downloaded %q", to.User, body)
	}
	c.api("mallory", http.MethodGet, path+"/"+announced.AttachmentID, nil, http.StatusForbidden, nil)
	c.api(from.User, http.MethodDelete, "/rooms/"+room+"/messages/"+got.MessageID, nil, http.StatusNoContent, nil)
	to.Expect(wire.TypeMessageDeleted)
}

// upload posts a file by a form.
func (c *chatter) upload(form wire.Upload, content string) {
	c.t.Helper()
	c.inRole(call{action: putObject, resource: bucketARN(attachmentsBucket + "/" + form.Fields["key"])})
	if status := c.server.Upload(form, []byte(content)); status != http.StatusNoContent {
		c.t.Fatalf("the upload answered %d, want %d", status, http.StatusNoContent)
	}
}

// download follows a link to the bucket, without a token.
func (c *chatter) download(link string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, link, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	calls, err := callsOf(r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.inRole(calls...)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s answered %d %s, %v; want %d", r.URL.Path, response.StatusCode, answer, err, http.StatusOK)
	}
	return string(answer)
}

// inRole checks that who has a form or a link may do what it is for: S3 authorizes it by
// the role of the function that signed it.
func (c *chatter) inRole(calls ...call) {
	c.t.Helper()
	for _, call := range calls {
		if !c.signer.allow(call) {
			c.t.Errorf("the role of the signer does not allow %s on %s", call.action, call.resource)
		}
	}
}
