package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one line of a configuration file: an option's name and its texts.
// The texts are what stands in the file, before any YAML typing, so that a
// value means the same wherever it was given.
type entry struct {
	name  string
	line  int
	texts []string
	isSet bool // false: nothing stands behind the colon
	isRow bool // the value is a sequence
	other bool // the value is neither a text nor a sequence of texts
}

// parseFile reads a YAML mapping from option names to values.
func parseFile(data []byte) ([]entry, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one YAML document")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the file must be a list of \"name: value\"", root.Line)
	}
	entries := make([]entry, 0, len(root.Content)/2)
	for i := 0; i+1 < len(root.Content); i += 2 {
		entries = append(entries, newEntry(root.Content[i], root.Content[i+1]))
	}
	return entries, nil
}

func newEntry(key, val *yaml.Node) entry {
	e := entry{name: key.Value, line: key.Line}
	switch {
	case isText(val):
		e.texts, e.isSet = []string{val.Value}, true
	case val.Kind == yaml.ScalarNode:
	case val.Kind == yaml.SequenceNode:
		e.isSet, e.isRow = true, true
		for _, item := range val.Content {
			e.other = e.other || !isText(item)
			e.texts = append(e.texts, item.Value)
		}
	default:
		e.isSet, e.other = true, true
	}
	return e
}

func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag != "!!null"
}

// yamlError is the parser's complaint without its own prefix.
func yamlError(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}
