package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/shared/topology"
)

func domain(value string) error {
	return matches(value, `([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}`, "a domain such as chat.example.com")
}

func certificate(value string) error {
	return matches(value, `arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate/[\w-]+`, "the ARN of an ACM certificate in this region")
}

func oneOf(value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("want %s", strings.Join(allowed, " or "))
	}
	return nil
}

func matches(value, pattern, want string) error {
	if !regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(value) {
		return fmt.Errorf("want %s", want)
	}
	return nil
}

func originKey(value string) error {
	return matches(value, `[\w-]{20,128}`, "20 to 128 letters, digits, - and _, such as openssl rand -hex 20 prints")
}

func httpsURL(value, example string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("want a URL such as %s", example)
	}
	return nil
}

func httpsOrigin(value string) (string, error) {
	origin, err := topology.ParseOrigin(value)
	switch {
	case err != nil:
		return "", err
	case origin.Scheme != "https":
		return "", errors.New("want an origin such as https://chat.example.com, with https")
	}
	return origin.String(), nil
}

func number(value string, least, most int) (float64, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("want a number from %d to %d", least, most)
	}
	return float64(n), nil
}

func concurrency(value string) (map[string]int, error) {
	var names []string
	for _, f := range topology.Functions() {
		names = append(names, f.Name)
	}
	reserved := map[string]int{}
	for part := range strings.SplitSeq(value, ",") {
		name, count, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || !slices.Contains(names, name) {
			return nil, fmt.Errorf("want fanout=50,api=20 and so on; the functions are %s", strings.Join(names, ", "))
		}
		reserved[name] = n
	}
	return reserved, nil
}
