package main

import "testing"

// reviewFunction is one that reviews messages.
const reviewFunction = "arn:aws:lambda:us-east-1:123456789012:function:review"

// Those who store messages may invoke the one function that reviews them.
func TestReviewIsInvokedByThoseWhoStore(t *testing.T) {
	c := synthWith(t, map[string]any{"env": "dev", "reviewFunction": reviewFunction})
	found := map[string]bool{}
	for _, s := range c.statements() {
		for _, action := range texts(s.fields["Action"]) {
			if s.Type == "AWS::IAM::Policy" && action == "lambda:InvokeFunction" && s.fields["Resource"] == reviewFunction {
				found[s.concern] = true
			}
		}
	}
	if len(found) != 2 || !found["Api"] || !found["WebSocket"] {
		t.Errorf("roles of %v may invoke it", found)
	}
}
