package main

import (
	"context"
	"errors"
	"io"
)

func runVerify(context.Context, []string, io.Reader, io.Writer, io.Writer) error {
	return errors.New("not yet")
}
