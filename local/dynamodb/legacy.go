package dynamodb

import (
	"slices"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// comparisonOperators are the values of ComparisonOperator, in the order in which errors list
// them.
var comparisonOperators = []string{
	"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS",
}

// legacy holds a request's parameters from before expressions. bindLegacy translates them into
// the same trees that expressions have. The texts of their errors are DynamoDB Local's (1.25.1).
type legacy struct {
	given      []string          // names of the parameters
	conditions []legacyParameter // Expected, KeyConditions, QueryFilter, ScanFilter
	updates    []attributeUpdate // AttributeUpdates
	attributes []string          // AttributesToGet
	operator   string            // ConditionalOperator
}

// legacyParameter is one of the parameters that hold conditions.
type legacyParameter struct {
	name       string
	conditions []legacyCondition
}

// legacyCondition is a Condition or an ExpectedAttributeValue.
type legacyCondition struct {
	attribute string
	operator  string
	values    []item.Value
	hasValues bool
	value     *item.Value // of Expected
	exists    *bool       // of Expected
}

type attributeUpdate struct {
	attribute, action string
	value             *item.Value
}

// read reads one of the parameters.
func (l *legacy) read(r *jsonio.Reader, name string) (err error) {
	l.given = append(l.given, name)
	switch name {
	case "ConditionalOperator":
		l.operator, err = r.String()
	case "AttributesToGet":
		l.attributes = []string{}
		err = r.Array(func() error {
			s, err := r.String()
			l.attributes = append(l.attributes, s)
			return err
		})
	case "AttributeUpdates":
		err = r.Map(func(attribute string) error {
			u, err := readAttributeUpdate(r, attribute)
			l.updates = append(l.updates, u)
			return err
		})
	default:
		p := legacyParameter{name: name}
		err = r.Map(func(attribute string) error {
			c, err := readLegacyCondition(r, attribute)
			p.conditions = append(p.conditions, c)
			return err
		})
		l.conditions = append(l.conditions, p)
	}
	return err
}

func readLegacyCondition(r *jsonio.Reader, attribute string) (legacyCondition, error) {
	c := legacyCondition{attribute: attribute}
	err := r.Struct(func(name string) (err error) {
		switch name {
		case "ComparisonOperator":
			c.operator, err = r.String()
		case "AttributeValueList":
			c.hasValues = true
			err = r.Array(func() error {
				v, err := item.ReadValue(r)
				c.values = append(c.values, v)
				return err
			})
		case "Value":
			c.value, err = readOptional(r)
		case "Exists":
			var exists bool
			exists, err = r.Bool()
			c.exists = &exists
		default:
			err = r.Skip()
		}
		return err
	})
	return c, err
}

func readAttributeUpdate(r *jsonio.Reader, attribute string) (attributeUpdate, error) {
	u := attributeUpdate{attribute: attribute, action: "PUT"}
	err := r.Struct(func(name string) (err error) {
		switch name {
		case "Action":
			u.action, err = r.String()
		case "Value":
			u.value, err = readOptional(r)
		default:
			err = r.Skip()
		}
		return err
	})
	return u, err
}

func readOptional(r *jsonio.Reader) (*item.Value, error) {
	v, err := item.ReadValue(r)
	return &v, err
}

// violations returns the values outside enumerations.
func (l *legacy) violations(v *violations) {
	v.enum(l.operator, "conditionalOperator", "OR", "AND")
	for _, p := range l.conditions {
		for _, c := range p.conditions {
			v.enum(c.operator, lowerFirst(p.name)+"."+c.attribute+".member.comparisonOperator", comparisonOperators...)
		}
	}
	for _, u := range l.updates {
		v.enum(u.action, "attributeUpdates."+u.attribute+".member.action", "ADD", "DELETE", "PUT")
	}
	if l.attributes != nil && len(l.attributes) == 0 {
		v.add("[]", "attributesToGet", "Member must have length greater than or equal to 1")
	}
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// checkMixed rejects legacy parameters beside expressions. KeyConditions may stand beside any
// expression but its own counterpart.
func (q *request) checkMixed() error {
	if len(q.legacy.given) == 0 {
		return nil
	}
	var expressions []string
	for _, e := range []struct {
		text *string
		name expression.Kind
	}{
		{q.projection, expression.KindProjection},
		{q.filter, expression.KindFilter},
		{q.update, expression.KindUpdate},
		{q.condition, expression.KindCondition},
		{q.keyCondition, expression.KindKeyCondition},
	} {
		if e.text != nil {
			expressions = append(expressions, string(e.name))
		}
	}
	var names []string
	for _, name := range []string{"AttributesToGet", "AttributeUpdates", "QueryFilter", "ScanFilter", "Expected", "ConditionalOperator", "KeyConditions"} {
		if slices.Contains(q.legacy.given, name) && (name != "KeyConditions" || q.keyCondition != nil) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(expressions) == 0 {
		return nil
	}
	return validation("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {" +
		strings.Join(names, ", ") + "} Expression parameters: {" + strings.Join(expressions, ", ") + "}")
}

// bindLegacy translates those legacy parameters that the operation takes. The error is an
// *Error.
func (q *request) bindLegacy(kinds []expression.Kind, out *expressions) error {
	if len(q.legacy.given) == 0 {
		return nil
	}
	for _, kind := range kinds {
		var err error
		switch kind {
		case expression.KindCondition:
			err = q.bindComparisons(kind, &out.condition, "Expected")
		case expression.KindFilter:
			err = q.bindComparisons(kind, &out.filter, "QueryFilter", "ScanFilter")
		case expression.KindKeyCondition:
			err = q.bindComparisons(kind, &out.keyCondition, "KeyConditions")
		case expression.KindUpdate:
			err = q.bindAssignments(out)
		case expression.KindProjection:
			err = q.bindAttributes(out)
		}
		if err != nil {
			return err
		}
	}
	return q.checkOperator()
}

func (q *request) bindAttributes(out *expressions) error {
	names := q.legacy.attributes
	if names == nil {
		return nil
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return invalidParameter("Duplicate value in attribute name: %s", name)
		}
	}
	out.projection = expression.Attributes(names)
	return nil
}

func (q *request) bindAssignments(out *expressions) error {
	if len(q.legacy.updates) == 0 {
		return nil
	}
	list := make([]expression.Assignment, len(q.legacy.updates))
	for i, u := range q.legacy.updates {
		list[i] = expression.Assignment{Attribute: u.attribute, Action: u.action}
		switch {
		case u.value == nil && u.action != "DELETE":
			return invalidParameter("Only DELETE action is allowed when no attribute value is specified")
		case u.value == nil:
			continue
		case u.action == "DELETE" && !u.value.Kind.IsSet():
			return invalidParameter("DELETE action with value is not supported for the type %s", expression.LongName(u.value.Kind))
		case u.action == "ADD" && !u.value.Kind.IsSet() && u.value.Kind != item.N && u.value.Kind != item.L:
			return invalidParameter("ADD action is not supported for the type %s", expression.LongName(u.value.Kind))
		}
		list[i].Value = *u.value
	}
	out.update = expression.Assignments(list)
	return nil
}

// bindComparisons translates the parameter of one of the names. With none, out stays as it is.
func (q *request) bindComparisons(kind expression.Kind, out **expression.BoundCondition, names ...string) error {
	for _, p := range q.legacy.conditions {
		if !slices.Contains(names, p.name) {
			continue
		}
		if p.name == "KeyConditions" && (len(p.conditions) < 1 || len(p.conditions) > 2) {
			return validation("Conditions can be of length 1 or 2 only")
		}
		list := make([]expression.Comparison, len(p.conditions))
		for i := range p.conditions {
			var err error
			if list[i], err = p.conditions[i].comparison(p.name); err != nil {
				return err
			}
		}
		if len(list) > 0 {
			*out = expression.Comparisons(kind, list, q.legacy.operator == "OR" && p.name != "KeyConditions")
		}
	}
	return nil
}

// checkOperator rejects a ConditionalOperator with nothing to join.
func (q *request) checkOperator() error {
	if q.legacy.operator == "" {
		return nil
	}
	joined := 0
	for _, p := range q.legacy.conditions {
		if p.name != "KeyConditions" {
			joined = max(joined, len(p.conditions))
		}
	}
	switch joined {
	case 0:
		return validation("ConditionalOperator cannot be used without Filter or Expected")
	case 1:
		return validation("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	return nil
}

// comparison validates the condition and returns it as a comparison. The error is an *Error.
func (c *legacyCondition) comparison(parameter string) (expression.Comparison, error) {
	out := expression.Comparison{Attribute: c.attribute, Operator: c.operator, Values: c.values}
	if parameter == "Expected" {
		if err := c.expected(&out); err != nil {
			return out, err
		}
	} else if c.operator == "" {
		return out, missing(lowerFirst(parameter) + "." + c.attribute + ".member.comparisonOperator")
	}
	if err := checkComparison(&out); err != nil {
		return out, err
	}
	if parameter == "KeyConditions" && slices.Contains([]string{"NE", "IN", "NULL", "NOT_NULL", "CONTAINS", "NOT_CONTAINS"}, c.operator) {
		return out, validation("Attempted conditional constraint is not an indexable operation")
	}
	return out, nil
}

// expected fills in the comparison of an ExpectedAttributeValue.
func (c *legacyCondition) expected(out *expression.Comparison) error {
	invalid := func(text string) error {
		return invalidParameter("%s for Attribute: %s", text, c.attribute)
	}
	if c.operator != "" {
		switch {
		case c.exists != nil:
			return invalid("Exists and ComparisonOperator cannot be used together")
		case c.value != nil && c.hasValues:
			return invalid("Value and AttributeValueList cannot be used together")
		case c.value != nil:
			out.Values = []item.Value{*c.value}
		case !c.hasValues && c.operator != "NULL" && c.operator != "NOT_NULL":
			return invalid("Value or AttributeValueList must be used with ComparisonOperator: " + c.operator)
		}
		return nil
	}
	switch {
	case c.hasValues:
		return invalid("AttributeValueList can only be used with a ComparisonOperator")
	case c.exists != nil && !*c.exists && c.value != nil:
		return invalid("Value cannot be used when Exists is false")
	case c.exists != nil && !*c.exists:
		out.Operator = "NULL"
	case c.value == nil && c.exists == nil:
		return invalid("Value must be provided when Exists is null")
	case c.value == nil:
		return invalid("Value must be provided when Exists is true")
	default:
		out.Operator, out.Values = "EQ", []item.Value{*c.value}
	}
	return nil
}

// checkComparison rejects values that the operator does not take.
func checkComparison(c *expression.Comparison) error {
	low, high := 1, 1
	takes := func(item.Kind) bool { return true }
	switch c.Operator {
	case "NULL", "NOT_NULL":
		low, high = 0, 0
	case "BETWEEN":
		low, high = 2, 2
		takes = item.Kind.Ordered
	case "IN":
		high = len(c.Values)
		takes = item.Kind.Ordered
	case "LT", "LE", "GT", "GE":
		takes = item.Kind.Ordered
	case "BEGINS_WITH":
		takes = func(k item.Kind) bool { return k == item.S || k == item.B }
	case "CONTAINS", "NOT_CONTAINS":
		takes = func(k item.Kind) bool { return k.Ordered() || k == item.BOOL || k == item.NULL }
	}
	if len(c.Values) < low || len(c.Values) > high {
		return invalidParameter("Invalid number of argument(s) for the %s ComparisonOperator", c.Operator)
	}
	for _, v := range c.Values {
		if v.Kind != c.Values[0].Kind {
			return invalidParameter("AttributeValues inside AttributeValueList must be of same type")
		}
		if !takes(v.Kind) {
			return invalidParameter("ComparisonOperator %s is not valid for %s AttributeValue type", c.Operator, v.Kind)
		}
	}
	if c.Operator == "BETWEEN" && item.Compare(c.Values[0], c.Values[1]) > 0 {
		return validation("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
	}
	return nil
}
