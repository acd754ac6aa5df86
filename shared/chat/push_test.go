package chat_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
)

func TestValidateEndpoint(t *testing.T) {
	for endpoint, valid := range map[string]bool{
		"https://fcm.googleapis.com/fcm/send/abc:def":                          true,
		"https://push.example.com:8443/a?b=c":                                  true,
		"https://PUSH.example.com./x":                                          true,
		"https://8.8.8.8/x":                                                    true,
		"https://[2606:4700::1111]/x":                                          true,
		"https://push.example.com/" + strings.Repeat("x", chat.MaxEndpoint-25): true,
		"https://push.example.com/" + strings.Repeat("x", chat.MaxEndpoint-24): false,
		"":                                  false,
		"push.example.com":                  false,
		"http://push.example.com/":          false,
		"ftp://push.example.com/":           false,
		"https:///x":                        false,
		"https:push.example.com":            false,
		"https://user@push.example.com/":    false,
		"https://user:pw@push.example.com/": false,
		"https://push.example.com/#x":       false,
		"https://push.example.com/\n":       false,
		"https://push.example.com/é":        false,
		"https://push.example.com/a b":      false,
		"https://localhost/":                false,
		"https://localhost.:8443/":          false,
		"https://a.localhost/":              false,
		"https://printer/":                  false,
		"https://printer.local/":            false,
		"https://db.internal/":              false,
		"https://127.0.0.1/":                false,
		"https://127.1/":                    false,
		"https://2130706433/":               false,
		"https://0x7f.0x1/":                 false,
		"https://10.0.0.1/":                 false,
		"https://172.16.0.1/":               false,
		"https://192.168.1.1/":              false,
		"https://169.254.169.254/latest":    false,
		"https://100.64.0.1/":               false,
		"https://0.0.0.0/":                  false,
		"https://[::1]/":                    false,
		"https://[::]/":                     false,
		"https://[::ffff:127.0.0.1]/":       false,
		"https://[::ffff:8.8.8.8]/":         true,
		"https://[fe80::1]/":                false,
		"https://[fe80::1%25eth0]/":         false,
		"https://[fd00:ec2::254]/":          false,
		"https://[64:ff9b::7f00:1]/":        false,
		"https://[2002:7f00:1::]/":          false,
		"https://224.0.0.1/":                false,
		"https://255.255.255.255/":          false,
	} {
		err := chat.ValidateEndpoint(endpoint)
		if (err == nil) != valid || err != nil && chat.Reason(err).Code != chat.CodeInvalidRequest {
			t.Errorf("%.60q: %v", endpoint, err)
		}
	}
}

func TestPublicAddress_NoneOfThisMachine(t *testing.T) {
	if chat.PublicAddress(netip.Addr{}) || chat.PublicAddress(netip.MustParseAddr("::127.0.0.1")) {
		t.Error("no address, or one of this machine, is one on the internet")
	}
}

func TestSubscribe(t *testing.T) {
	const key, auth = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "BTBZMqHH6r4Tts7J_aSIgg"
	now := time.UnixMilli(1_709_136_000_000)
	store := memory.New(func() time.Time { return now })
	pushes := chat.NewPushes(store, "KEY", func() time.Time { return now })
	for name, s := range map[string]chat.Subscription{
		"no endpoint":   {Key: key, Auth: auth},
		"no key":        {Endpoint: "https://push.example.com/x", Auth: auth},
		"a short key":   {Endpoint: "https://push.example.com/x", Key: key[:40], Auth: auth},
		"no point":      {Endpoint: "https://push.example.com/x", Key: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw8", Auth: auth},
		"no auth":       {Endpoint: "https://push.example.com/x", Key: key},
		"a long auth":   {Endpoint: "https://push.example.com/x", Key: key, Auth: auth + "AAAA"},
		"auth not text": {Endpoint: "https://push.example.com/x", Key: key, Auth: "=!"},
	} {
		if err := pushes.Subscribe(t.Context(), "bob", s); chat.Reason(err).Code != chat.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	padded := strings.NewReplacer("-", "+", "_", "/").Replace(key) + "="
	if err := pushes.Subscribe(t.Context(), "bob", chat.Subscription{Endpoint: "https://push.example.com/x", Key: padded, Auth: auth + "=="}); err != nil {
		t.Fatal(err)
	}
	got, err := store.Subscriptions(t.Context(), "bob")
	want := chat.Subscription{Endpoint: "https://push.example.com/x", Key: key, Auth: auth, At: now.UnixMilli()}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("stored %+v, %v", got, err)
	}
	if err := pushes.Unsubscribe(t.Context(), "bob", "https://localhost/"); chat.Reason(err).Code != chat.CodeInvalidRequest {
		t.Errorf("an endpoint that no one can have: %v", err)
	}
	if err := pushes.Unsubscribe(t.Context(), "bob", want.Endpoint); err != nil {
		t.Fatal(err)
	}
	if left, _ := store.Subscriptions(t.Context(), "bob"); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
}
