package main

import (
	"slices"
	"strings"
	"testing"
)

// failuresBucket returns the bucket of what the readers of the stream gave up.
func (c *cloud) failuresBucket(t *testing.T) resource {
	t.Helper()
	var found []resource
	for _, r := range c.all("AWS::S3::Bucket") {
		if r.concern == "Streams" {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the readers of the stream have %d buckets, want one", len(found))
	}
	return found[0]
}

// The bucket holds what people wrote, for two weeks.
func TestFailuresAreKeptPrivately(t *testing.T) {
	for _, env := range []string{"dev", "prod"} {
		c := synth(t, env)
		bucket := c.failuresBucket(t)
		bucket.expect(t, `14`, "LifecycleConfiguration", "Rules", 0, "ExpirationInDays")
		bucket.expect(t, `"Enabled"`, "LifecycleConfiguration", "Rules", 0, "Status")
		bucket.expect(t, `"AES256"`, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm")
		bucket.expect(t, `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}`, "PublicAccessBlockConfiguration")
		if !slices.ContainsFunc(c.statements(), func(s statement) bool {
			return s.fields["Effect"] == "Deny" && at(s.fields, "Resource", 0, "Fn::GetAtt", 0) == bucket.id &&
				at(s.fields, "Condition", "Bool", "aws:SecureTransport") == "false"
		}) {
			t.Errorf("%s: the bucket can be used without TLS", env)
		}
	}
}

// The layout of the keys is Lambda's.
func TestReadersWriteFailuresOnly(t *testing.T) {
	c := synth(t, "prod")
	found := 0
	for _, s := range c.statements() {
		if !slices.Contains(list(s.fields["Action"]), any("s3:PutObject")) && s.fields["Action"] != "s3:PutObject" || s.concern != "Streams" {
			continue
		}
		found++
		parts := list(at(s.fields, "Resource", "Fn::Join", 1))
		if len(parts) == 0 || !strings.HasSuffix(parts[len(parts)-1].(string), "/aws/lambda/*") { //nolint:forcetypeassert // a string ends it
			t.Errorf("a reader may write %v", s.fields["Resource"])
		}
		if at(s.fields, "Condition", "StringEquals", "s3:ResourceAccount", "Ref") != "AWS::AccountId" {
			t.Errorf("a reader may write to a bucket of another account: %v", s.fields["Condition"])
		}
	}
	if found != 2 {
		t.Errorf("%d roles may write failures, want both readers'", found)
	}
}
