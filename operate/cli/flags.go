// Package cli has what the command lines of this repository's programs share: flags that
// are checked while they are parsed, and errors in one form.
package cli

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/streamroom/streamroom/shared/topology"
)

// UsageError is an error in the command line.
type UsageError struct{ error }

func (e UsageError) Unwrap() error { return e.error }

// Usage makes an error one in the command line.
func Usage(err error) error { return UsageError{err} }

// NoArguments refuses whatever follows the flags.
func NoArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage(fmt.Errorf("unexpected argument %q", args[0]))
	}
	return nil
}

// The types of flags that are checked while the command line is parsed. What
// their Set returns says what is wanted, and FlagError names flag and value.

// mustError is a condition that a value does not meet, such as "be positive".
type mustError string

func (e mustError) Error() string { return "must " + string(e) }

// FlagError rewords the errors of parsing flags in one form.
func FlagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		err = invalidValue(invalid)
	case errors.As(err, &missing):
		err = fmt.Errorf("--%s needs a value", missing.GetSpecifiedName())
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		// Of "-user" pflag takes the "u" for a flag of one letter.
		err = fmt.Errorf("unknown flag -%s", unknown.GetSpecifiedShortnames())
		if name, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "="); cmd.Flags().Lookup(name) != nil {
			err = fmt.Errorf("unknown flag -%s (did you mean --%s?)", name, name)
		}
	case errors.As(err, &unknown):
		err = fmt.Errorf("unknown flag --%s", unknown.GetSpecifiedName())
	}
	return Usage(err)
}

func invalidValue(e *pflag.InvalidValueError) error {
	name, want := e.GetFlag().Name, e.Unwrap()
	var must mustError
	if errors.As(want, &must) {
		return fmt.Errorf("--%s %w", name, must)
	}
	switch e.GetFlag().Value.Type() {
	case "duration":
		want = errors.New("want a duration such as 30s or 2h")
	case "int":
		want = errors.New("want a whole number")
	case "bool":
		want = errors.New("want true or false")
	}
	return fmt.Errorf("invalid --%s %q: %w", name, e.GetValue(), want)
}

// urlValue is a URL of one of two schemes. Slashes at its end are dropped. The
// empty text stands for a URL that is not given, if that is the default.
type urlValue struct {
	target   *string
	optional bool
	example  string // its scheme, and the same without "s" or with it, are accepted
}

// URL defines a flag for a URL. Its default is the value of target.
func URL(flags *pflag.FlagSet, target *string, name, example, usage string) {
	flags.Var(&urlValue{target, *target == "", example}, name, usage)
}

func (v *urlValue) String() string { return *v.target }
func (v *urlValue) Type() string   { return "URL" }

func (v *urlValue) Set(text string) error {
	if text == "" && v.optional {
		*v.target = ""
		return nil
	}
	scheme, _, _ := strings.Cut(v.example, "://")
	plain := strings.TrimSuffix(scheme, "s")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != plain && u.Scheme != plain+"s") {
		return errors.New("want a URL such as " + v.example)
	}
	*v.target = strings.TrimRight(text, "/")
	return nil
}

// originsValue lists origins, as browsers send them.
type originsValue struct{ target *[]string }

// Origins defines a flag for an origin, which can be given several times.
func Origins(flags *pflag.FlagSet, target *[]string, name, usage string) {
	flags.Var(&originsValue{target}, name, usage)
}

func (v *originsValue) String() string { return strings.Join(*v.target, ",") }
func (v *originsValue) Type() string   { return "origin" }

func (v *originsValue) Set(text string) error {
	origin, err := topology.ParseOrigin(text)
	if err == nil {
		*v.target = append(*v.target, origin.String())
	}
	return err
}

// choiceValue is one of a few texts.
type choiceValue struct {
	target  *string
	choices []string
}

// Choice defines a flag for one of a few texts, which shells complete. Its
// default is the value of target.
func Choice(cmd *cobra.Command, target *string, choices []string, name, usage string) {
	cmd.Flags().Var(&choiceValue{target, choices}, name, usage)
	Complete(cmd, name, choices...)
}

// Complete lets shells complete a flag's value.
func Complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag
	}
}

func (v *choiceValue) String() string { return *v.target }
func (v *choiceValue) Type() string   { return "choice" }

func (v *choiceValue) Set(text string) error {
	if !slices.Contains(v.choices, text) {
		last := len(v.choices) - 1
		return errors.New("want " + strings.Join(v.choices[:last], ", ") + " or " + v.choices[last])
	}
	*v.target = text
	return nil
}

// durationValue is a duration with a lower bound.
type durationValue struct {
	target   *time.Duration
	positive bool // else not negative
}

// Positive defines a flag for a duration greater than 0. Its default is the
// value of target.
func Positive(flags *pflag.FlagSet, target *time.Duration, name, usage string) {
	flags.Var(&durationValue{target, true}, name, usage)
}

// Wait defines a flag for a duration that may be 0, but not negative. Its
// default is the value of target.
func Wait(flags *pflag.FlagSet, target *time.Duration, name, usage string) {
	flags.Var(&durationValue{target, false}, name, usage)
}

func (v *durationValue) String() string { return v.target.String() }
func (v *durationValue) Type() string   { return "duration" }

func (v *durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return err
	case v.positive && d <= 0:
		return mustError("be positive")
	case d < 0:
		return mustError("not be negative")
	}
	*v.target = d
	return nil
}

// rateValue is a number of things a second, not negative.
type rateValue struct{ target *float64 }

// Rate defines a flag for a rate. Its default is the value of target.
func Rate(flags *pflag.FlagSet, target *float64, name, usage string) {
	flags.Var(&rateValue{target}, name, usage)
}

func (v *rateValue) String() string { return strconv.FormatFloat(*v.target, 'f', -1, 64) }
func (v *rateValue) Type() string   { return "rate" }

func (v *rateValue) Set(text string) error {
	rate, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(rate):
		return errors.New("want a number such as 200")
	case rate < 0:
		return mustError("not be negative")
	}
	*v.target = rate
	return nil
}

// momentValue is a point in time: written as such, or as how long before now.
type momentValue struct {
	target *time.Time
	now    time.Time
}

// Moment defines a flag for a point in time.
func Moment(flags *pflag.FlagSet, target *time.Time, now time.Time, name, usage string) {
	flags.Var(&momentValue{target, now}, name, usage)
}

func (v *momentValue) Type() string { return "time" }

func (v *momentValue) String() string {
	if v.target.IsZero() {
		return ""
	}
	return v.target.Format(time.RFC3339)
}

func (v *momentValue) Set(text string) error {
	if text == "" {
		*v.target = time.Time{}
		return nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		*v.target = v.now.Add(-ago)
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return errors.New("want a time such as 2026-01-31T09:00:00Z, or a duration such as 2h or 30m")
	}
	*v.target = t
	return nil
}
