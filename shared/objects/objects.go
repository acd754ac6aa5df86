// Package objects keeps the files of attachments in an S3 bucket: it signs the forms and
// links by which clients reach them, and copies and removes them. What may be uploaded
// and who may read it are the domain's rules: anyone who has a form or a link may use it.
//
// An upload goes to pending/{roomId}/{attachmentId}, which ends after a day by a rule of
// the bucket. A message's copy of it is at rooms/{roomId}/{attachmentId}.
package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/s3client"
	"github.com/streamroom/streamroom/shared/topology"
)

// PendingKey is the key of an upload.
func PendingKey(roomID, attachmentID string) string {
	return topology.PendingPrefix + roomID + "/" + attachmentID
}

// Key is the key of a message's file.
func Key(roomID, attachmentID string) string {
	return topology.RoomsPrefix + roomID + "/" + attachmentID
}

// Bucket is a bucket of attachments.
type Bucket struct {
	client *s3.Client
	config aws.Config
	name   string
}

// New returns the bucket called name. With an endpoint in the configuration, the bucket is
// the first segment of its paths.
func New(c aws.Config, name string) *Bucket {
	return &Bucket{client: s3client.New(c), config: c, name: name}
}

// SignUpload returns a form for the upload of an attachment, until a time: a POST of
// exactly its size and type, to its key.
func (b *Bucket) SignUpload(ctx context.Context, a chat.Attachment, now, until time.Time) (chat.Upload, error) {
	credentials, err := b.config.Credentials.Retrieve(ctx)
	if err != nil {
		return chat.Upload{}, fmt.Errorf("retrieve credentials: %w", err)
	}
	endpoint, err := b.endpoint(ctx)
	if err != nil {
		return chat.Upload{}, err
	}
	fields := map[string]string{"key": PendingKey(a.RoomID, a.ID), "Content-Type": a.ContentType}
	if err := signForm(form{
		bucket: b.name, region: b.config.Region, credentials: credentials, fields: fields, size: a.Size, now: now, until: until,
	}); err != nil {
		return chat.Upload{}, err
	}
	return chat.Upload{URL: endpoint, Fields: fields, ExpiresAt: until.UnixMilli()}, nil
}

// endpoint returns the bucket's URL.
func (b *Bucket) endpoint(ctx context.Context) (string, error) {
	o := b.client.Options()
	resolved, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: aws.String(b.name), Region: aws.String(o.Region), Endpoint: o.BaseEndpoint, ForcePathStyle: aws.Bool(o.UsePathStyle),
	})
	if err != nil {
		return "", fmt.Errorf("resolve the bucket's endpoint: %w", err)
	}
	return resolved.URI.String(), nil
}

// SignDownload returns a link to a message's file, until a time.
func (b *Bucket) SignDownload(ctx context.Context, a chat.Attachment, now, until time.Time) (chat.Download, error) {
	presigner := s3.NewPresignClient(b.client, func(o *s3.PresignOptions) {
		o.Expires = until.Sub(now)
		o.Presigner = at{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), now}
	})
	request, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(Key(a.RoomID, a.ID)),
		// Signed with the link, so that a rule that changes holds for old files, too.
		ResponseContentDisposition: aws.String(disposition(a.File)),
		ResponseContentType:        aws.String(a.ContentType),
	})
	if err != nil {
		return chat.Download{}, fmt.Errorf("presign: %w", err)
	}
	return chat.Download{URL: request.URL, ExpiresAt: until.UnixMilli()}, nil
}

// at signs as of a time that is given.
type at struct {
	signer s3.HTTPPresignerV4
	now    time.Time
}

// PresignHTTP implements s3.HTTPPresignerV4.
func (s at) PresignHTTP(
	ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	_ time.Time, options ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return s.signer.PresignHTTP(ctx, credentials, r, payloadHash, service, region, s.now, options...)
}

// Keep copies an upload to where links lead, with the type and disposition that the
// domain chose; false if nothing was uploaded.
func (b *Bucket) Keep(ctx context.Context, a chat.Attachment) (bool, error) {
	_, err := b.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(Key(a.RoomID, a.ID)),
		CopySource:         aws.String(b.name + "/" + PendingKey(a.RoomID, a.ID)), // ids have no characters to escape
		MetadataDirective:  types.MetadataDirectiveReplace,
		ContentType:        aws.String(a.ContentType),
		ContentDisposition: aws.String(disposition(a.File)),
	})
	var failure smithy.APIError
	if errors.As(err, &failure) && (failure.ErrorCode() == "NoSuchKey" || failure.ErrorCode() == "NotFound") {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("copy: %w", err)
	}
	return true, nil
}

// mostRemoved is how many objects one request may remove (Amazon S3 API Reference,
// "DeleteObjects").
const mostRemoved = 1_000

// Remove removes the files of attachments of a room. Those that don't exist are no error.
func (b *Bucket) Remove(ctx context.Context, roomID string, attachmentIDs []string) error {
	return b.remove(ctx, roomID, attachmentIDs, Key)
}

// RemoveUploads removes what was uploaded for attachments of a room, which else ends after
// chat.PendingTime. What doesn't exist is no error.
func (b *Bucket) RemoveUploads(ctx context.Context, roomID string, attachmentIDs []string) error {
	return b.remove(ctx, roomID, attachmentIDs, PendingKey)
}

func (b *Bucket) remove(ctx context.Context, roomID string, attachmentIDs []string, key func(roomID, id string) string) error {
	for len(attachmentIDs) > 0 {
		n := min(len(attachmentIDs), mostRemoved)
		keys := make([]types.ObjectIdentifier, n)
		for i, id := range attachmentIDs[:n] {
			keys[i].Key = aws.String(key(roomID, id))
		}
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: aws.String(b.name), Delete: &types.Delete{Objects: keys, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("delete objects of room %s: %w", roomID, err)
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return fmt.Errorf("delete %d objects of room %s, %s first: %s: %s", len(out.Errors), roomID,
				aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
		}
		attachmentIDs = attachmentIDs[n:]
	}
	return nil
}
