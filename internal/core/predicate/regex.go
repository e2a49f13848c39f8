package predicate

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// compileRegex compiles a pattern that passed checkValue. Matching takes time
// linear in the text; MaxRegexCost bounds the factor and the memory.
func compileRegex(pattern value.Raw) (*regexp.Regexp, *Error) {
	text := string(view(pattern))
	tree, err := syntax.Parse(text, syntax.Perl)
	if err == nil && regexCost(tree) > MaxRegexCost {
		return nil, limitError("value", "characters in a regex with its repetitions written out", MaxRegexCost)
	}
	var re *regexp.Regexp
	if err == nil {
		re, err = regexp.Compile(text)
	}
	if err != nil {
		return nil, syntaxError("value", fmt.Sprintf("not a regular expression: %v", err))
	}
	return re, nil
}

// regexCost counts the characters and operators of a regex with its repetitions
// written out. It stops counting a little above MaxRegexCost.
func regexCost(re *syntax.Regexp) int {
	if re.Op == syntax.OpLiteral {
		return len(re.Rune)
	}
	cost := 0
	for _, sub := range re.Sub {
		cost += regexCost(sub)
	}
	if re.Op == syntax.OpRepeat {
		cost *= max(re.Min, re.Max, 1)
	}
	return min(cost+1, MaxRegexCost+1)
}
