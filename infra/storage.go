package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// storageStack has the bucket of attachments.
type storageStack struct {
	stack  awscdk.Stack
	bucket awss3.Bucket
}

// newStorage makes the bucket. Clients reach it by forms and links that the function api
// signs, each for one object and some minutes; no one else has access.
func newStorage(a *app) storageStack {
	s := storageStack{stack: a.stack(topology.StorageStack, "the bucket of attachments")}
	s.bucket = awss3.NewBucket(s.stack, jsii.String("Attachments"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		// No versions: what a message's deletion removes is gone.
		Cors: &[]*awss3.CorsRule{{
			AllowedOrigins: jsii.Strings(a.settings.origins()...),
			AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_POST, awss3.HttpMethods_GET},
			MaxAge:         jsii.Number(topology.APIPreflightAge.Seconds()),
		}},
		LifecycleRules: &[]*awss3.LifecycleRule{
			// What was uploaded for a message that was never sent; and the upload of what was
			// sent, which the message has a copy of.
			{Id: jsii.String("pending"), Prefix: jsii.String(topology.PendingPrefix), Expiration: awscdk.Duration_Days(jsii.Number(1))},
			{Id: jsii.String("incomplete"), AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1))},
		},
		RemovalPolicy:     a.keep(),
		AutoDeleteObjects: jsii.Bool(!a.settings.prod()),
	})
	output(s.stack, topology.AttachmentsOutput, *s.bucket.BucketName(), "The bucket of attachments, for operators' tools")
	return s
}

// endpoint returns the bucket's URL in forms and links.
func (s storageStack) endpoint() string { return "https://" + *s.bucket.BucketRegionalDomainName() }

// An objectGrant allows an action on the objects whose keys have a prefix.
type objectGrant struct {
	action, prefix string
}

const (
	getObject    = "s3:GetObject"
	putObject    = "s3:PutObject"
	deleteObject = "s3:DeleteObject"
)

// objectGrants lists what each function does with attachments. A user who has a form or a link
// of the function api acts in its role; it stores messages, too, and then copies uploads
// as sendmessage does.
var objectGrants = map[string][]objectGrant{
	topology.API: {
		{putObject, topology.PendingPrefix},
		{getObject, topology.RoomsPrefix},
		{getObject, topology.PendingPrefix},
		{putObject, topology.RoomsPrefix},
	},
	topology.SendMessage: { // which copies from one to the other
		{getObject, topology.PendingPrefix},
		{putObject, topology.RoomsPrefix},
	},
	topology.LastMessage: {
		{deleteObject, topology.RoomsPrefix},
	},
}

// grantObjects gives a function's role its grants on the bucket, a statement for each.
func (s storageStack) grantObjects(role awsiam.Role, function string) {
	for _, g := range objectGrants[function] {
		allow(role, []string{g.action}, *s.bucket.ArnForObjects(jsii.String(g.prefix + "*")), nil)
	}
	if function == topology.SendMessage || function == topology.API {
		// Without it S3 answers 403, and not 404, to a copy of what does not exist ("GetObject",
		// Amazon S3 API Reference): no one could tell a missing upload from a missing permission.
		allow(role, []string{"s3:ListBucket"}, *s.bucket.BucketArn(), nil)
	}
}
