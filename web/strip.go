package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// strip returns a module of JavaScript without what browsers don't read: its comments, a
// third of the bytes here, and the blanks around lines. Each line keeps its number, so that
// errors name places of the sources. It fails where the source is no JavaScript.
func strip(source []byte) ([]byte, error) {
	lexer := js.NewLexer(parse.NewInputBytes(source))
	var out bytes.Buffer
	lines, blank := 0, false  // the lines that end before the next token; whether anything is before it
	last := js.SemicolonToken // the last token
	for {
		kind, text := lexer.Next()
		switch kind {
		case js.ErrorToken:
			if err := lexer.Err(); !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("unexpected %q in line %d: %w", text, bytes.Count(out.Bytes(), []byte("\n"))+lines+1, err)
			}
			out.WriteByte('\n')
			return out.Bytes(), nil
		case js.WhitespaceToken, js.CommentToken, js.LineTerminatorToken, js.CommentLineTerminatorToken:
			lines += bytes.Count(text, []byte("\n"))
			blank = true
			continue
		case js.DivToken, js.DivEqToken:
			if !endsOperand(last) {
				kind, text = lexer.RegExp()
			}
		default:
		}
		switch {
		case lines > 0:
			out.Write(bytes.Repeat([]byte("\n"), lines))
		case blank && out.Len() > 0:
			out.WriteByte(' ')
		}
		out.Write(text)
		last, lines, blank = kind, 0, false
	}
}

// endsOperand reports whether a slash after a token divides by what follows. Else it begins
// a regular expression, whose quotes and slashes begin no string and no comment. Where a
// parser is needed to tell them apart, as after the condition of an if, it divides.
func endsOperand(token js.TokenType) bool {
	switch token {
	case js.CloseParenToken, js.CloseBracketToken, js.CloseBraceToken, js.IncrToken, js.DecrToken,
		js.StringToken, js.TemplateToken, js.TemplateEndToken, js.RegExpToken:
		return true
	case js.AwaitToken, js.CaseToken, js.DefaultToken, js.DeleteToken, js.DoToken, js.ElseToken, js.ExtendsToken,
		js.InToken, js.InstanceofToken, js.NewToken, js.ReturnToken, js.ThrowToken, js.TypeofToken, js.VoidToken, js.YieldToken:
		return false
	default:
		return js.IsIdentifier(token) || js.IsNumeric(token)
	}
}
