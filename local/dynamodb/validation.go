package dynamodb

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxViolations is how many constraint violations one answer names.
const maxViolations = 10

// violations collects what a request's parameters violate, which DynamoDB reports together:
// "2 validation errors detected: Value 'x' at 'a' failed to satisfy constraint: …; Value …".
type violations []string

// add notes that the value of a parameter violates a constraint. The parameter is a path such
// as keySchema.1.member.keyType.
func (v *violations) add(value, parameter, constraint string) {
	if value != "null" {
		value = "'" + value + "'"
	}
	*v = append(*v, "Value "+value+" at '"+parameter+"' failed to satisfy constraint: "+constraint)
}

// enum checks a value that must be one of an enumeration; "" means the default.
func (v *violations) enum(value, parameter string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		v.add(value, parameter, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

// name checks the name of a table or index.
func (v *violations) name(value, parameter string) {
	switch {
	case len(value) < minName:
		v.add(value, parameter, fmt.Sprintf("Member must have length greater than or equal to %d", minName))
	case len(value) > maxName:
		v.add(value, parameter, fmt.Sprintf("Member must have length less than or equal to %d", maxName))
	case !namePattern.MatchString(value):
		v.add(value, parameter, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
}

// err returns the violations as one *Error, nil for none.
func (v violations) err() error {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return validation("1 validation error detected: " + v[0])
	}
	v = v[:min(len(v), maxViolations)]
	return validation(fmt.Sprintf("%d validation errors detected: %s", len(v), strings.Join(v, "; ")))
}

// The lengths of the names of tables and indexes.
const (
	minName = 3
	maxName = 255
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// bareName returns the name of a table that a request gives by name or by ARN.
func bareName(name string) string {
	if _, after, ok := strings.Cut(name, ":table/"); ok {
		return after
	}
	return name
}

// checkTableName rejects names that no table can have. The error is an *Error.
func checkTableName(name string) error {
	if name == "" {
		return required("TableName")
	}
	var v violations
	v.name(name, "tableName")
	return v.err()
}

func required(parameter string) error {
	return validation("The parameter '" + parameter + "' is required but was not present in the request")
}

func missing(parameter string) error {
	var v violations
	v.add("null", parameter, "Member must not be null")
	return v.err()
}

// oneOf rejects a value outside an enumeration; "" means the default.
func oneOf(parameter, value string, allowed ...string) error {
	var v violations
	v.enum(value, parameter, allowed...)
	return v.err()
}

// outside rejects a limit outside of a range.
func outside(limit int64, low, high int64) error {
	var v violations
	switch {
	case limit < low:
		v.add(strconv.FormatInt(limit, 10), "limit", fmt.Sprintf("Member must have value greater than or equal to %d", low))
	case limit > high:
		v.add(strconv.FormatInt(limit, 10), "limit", fmt.Sprintf("Member must have value less than or equal to %d", high))
	}
	return v.err()
}

func invalidParameter(format string, args ...any) error {
	return validation("One or more parameter values were invalid: " + fmt.Sprintf(format, args...))
}
