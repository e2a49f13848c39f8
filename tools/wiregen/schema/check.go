package schema

import "slices"

// Largest numbers that the generated code counts on.
const (
	maxFields     = 32 // bits of the set of fields seen
	maxNameLength = 31 // a field or type name is encoded with one byte before it
	maxNesting    = 8  // containers around a value of a message, its lists included
	codecNesting  = 2  // containers of a codec around a value
)

// check complains about what would not work on the wire.
func (p *reader) check() {
	types := map[string]bool{}
	for _, f := range p.schema.Families {
		for _, o := range f.Objects {
			if o.Message != nil {
				if types[o.Message.Type] {
					p.complaints.add("%s: type %s is defined twice", o.Name, o.Message.Type)
				}
				types[o.Message.Type] = true
			}
			p.checkObject(o)
		}
	}
	for _, o := range p.schema.objects {
		if p.nesting(o, 0) > maxNesting {
			p.complaints.add("%s nests deeper than %d, or contains itself", o.Name, maxNesting)
		}
	}
}

func (p *reader) checkObject(o *Object) {
	if len(o.Fields) > maxFields {
		p.complaints.add("%s has %d fields, the generator can count %d", o.Name, len(o.Fields), maxFields)
	}
	if o.Tolerant && !o.Invalid {
		p.complaints.add("%s is tolerant but has no field Invalid", o.Name)
	}
	seen := map[string]bool{}
	for _, f := range o.Fields {
		p.checkField(o, f)
		if seen[f.Wire] {
			p.complaints.add("%s has two fields %q", o.Name, f.Wire)
		}
		seen[f.Wire] = true
	}
}

func (p *reader) checkField(o *Object, f *Field) {
	bad := func(format string, args ...any) {
		p.complaints.add("%s."+format, append([]any{o.Name, f.Name}, args...)...)
	}
	message := o.Message != nil
	switch {
	case f.Wire == "" || len(f.Wire) > maxNameLength:
		bad("%s: the name %q must have 1 to 31 bytes", f.Wire)
	case message && o.Message.Layout == Flat && f.Wire == "type":
		bad("%s: collides with the message's type")
	case f.Top && (!message || o.Message.Layout != Payload):
		bad("%s: only a payload message has fields at the top")
	case f.Top && (f.Presence == Required || f.Tolerant):
		bad("%s: a field at the top must be optional and not tolerant")
	case f.Top && o.Message.OptionalPayload:
		bad("%s: a message with fields at the top has a payload")
	case f.Tolerant && !o.Invalid:
		bad("%s: is tolerant but the struct has no field Invalid")
	case f.Map && (f.Kind != Any || f.List || f.Presence != OmitEmpty):
		bad("%s: only an optional Raw can be required to be a map")
	case f.List && !slices.Contains([]Kind{String, Any, EnumRef, ObjectRef}, f.Kind):
		bad("%s: there are no lists of %s", f.Kind)
	case f.List && f.Presence != Required && f.Presence != OmitEmpty:
		bad("%s: a list is required or omitempty")
	case f.Presence == OmitEmpty && f.Kind == ObjectRef && !f.List:
		bad("%s: an object that may be absent is an Opt")
	case f.Presence == OmitEmpty && f.Kind == CodecRef && !p.schema.codecs[f.Ref].Slice:
		bad("%s: this codec has no empty value, so it is required")
	case f.Presence == Optional && f.Kind == Any:
		bad("%s: an optional Raw is omitempty")
	case f.Presence == Nullable && (f.Kind != ObjectRef || f.List):
		bad("%s: only objects are nullable")
	case (f.Limit == LimitOps || f.Limit == LimitItems) && !f.List:
		bad("%s: is no list")
	}
}

// nesting is the number of containers around the innermost field of o, with
// depth of them around o. It stops counting beyond maxNesting.
func (p *reader) nesting(o *Object, depth int) int {
	depth++
	if o.Message != nil && o.Message.Layout == Payload {
		depth++
	}
	deepest := depth
	for _, f := range o.Fields {
		child, at := p.schema.objects[f.Ref], depth
		if f.List {
			at++
		}
		if f.Kind == CodecRef {
			at += codecNesting
		}
		if child != nil && at <= maxNesting {
			at = p.nesting(child, at)
		}
		deepest = max(deepest, at)
	}
	return deepest
}

// MinSize is the smallest number of bytes that a valid object takes on the
// wire.
func (s *Schema) MinSize(o *Object) int {
	if o.Tolerant {
		return 1
	}
	size := 1
	for _, f := range o.Fields {
		if f.Presence == Required && !f.Top && (f.Kind != Any || f.List) {
			size += 1 + len(f.Wire) + s.minValue(f)
		}
	}
	return size
}

func (s *Schema) minValue(f *Field) int {
	if f.List {
		return 1
	}
	switch f.Kind {
	case Timestamp:
		return 1 + len("-millis-") + len("-counter-") + len("-nodeId-") // each with its lead byte and a one-byte value
	case EnumRef:
		size := len(s.enums[f.Ref].Values[0].Wire)
		for _, v := range s.enums[f.Ref].Values {
			size = min(size, len(v.Wire))
		}
		return 1 + size
	case ObjectRef:
		return s.MinSize(s.objects[f.Ref])
	}
	return 1
}
