package service

import "github.com/topgunbuild/topgun-go/internal/core/wire"

// maxName is the longest name of a topic, lock or counter.
const maxName = 256

// CheckName refuses a name of a topic, lock or counter that is not 1 to 256
// characters of [A-Za-z0-9_.:/-] (protocol 02 §8, §9).
func CheckName(t wire.Type, name string) error {
	ok := len(name) > 0 && len(name) <= maxName
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '.', c == ':', c == '/', c == '-':
		default:
			ok = false
		}
	}
	if ok {
		return nil
	}
	return &Error{
		Code: wire.CodeInvalidName, Type: t, Request: name[:min(len(name), maxName)],
		Text: "the name has to be 1 to 256 characters of A-Z a-z 0-9 _ . : / -",
	}
}
