package wire

// Message is one message of the protocol, a pointer to one of the structs of
// this package.
type Message interface {
	// Type returns the message's type.
	Type() Type

	// AppendTo appends the encoded frame to dst. It cannot fail; a message
	// whose closed sets hold foreign names is encoded as it is.
	AppendTo(dst []byte) []byte
}

// Type is the type of a message. Its numbers have no meaning outside a process;
// on the wire it is its String.
type Type uint8

// String is the name on the wire, "" for the zero Type.
func (t Type) String() string {
	if int(t) < len(typeInfos) {
		return typeInfos[t].name
	}
	return ""
}

// Direction says who sends messages of the type.
func (t Type) Direction() Direction {
	if int(t) < len(typeInfos) {
		return typeInfos[t].direction
	}
	return 0
}

// Types is the number of types: they are 1 to Types.
const Types = len(typeInfos) - 1

// Direction says who sends a message.
type Direction uint8

// The directions.
const (
	ClientToServer Direction = iota + 1
	ServerToClient
	ServerToServer
	Both // the same type is used by clients and servers
)

type typeInfo struct {
	name      string
	direction Direction
}

// Append appends the encoded frame of m to dst.
func Append(dst []byte, m Message) []byte { return m.AppendTo(dst) }

// Decode decodes one frame. The message aliases the frame.
//
// The error is a *DecodeError or an *UnknownTypeError. An operation of an
// OP_BATCH that is wrong in itself is no error: it carries its problem in
// Invalid, so that the server can refuse that operation and accept the others.
func Decode(frame []byte, lim Limits) (Message, error) {
	d := decoder{reader: newReader(frame), lim: lim.withDefaults()}
	if err := d.lim.admit(frame); err != nil {
		return nil, err
	}
	t, err := TypeOf(frame)
	if err != nil {
		return nil, err
	}
	m := decodeMessage(&d, t)
	if err := d.Err(); err != nil {
		return nil, decodeError(t, d.path, err)
	}
	return m, nil
}

// TypeOf returns the type of a frame without decoding the rest of it. The
// errors are those of Decode, but a nil error does not mean that Decode will
// succeed: bytes after the type may be of any kind.
func TypeOf(frame []byte) (Type, error) {
	r := newReader(frame)
	for range r.MapHeader() {
		if r.Str() != "type" {
			r.Skip()
			continue
		}
		name := r.Str()
		if r.Err() != nil {
			break
		}
		t := typeByName(name)
		if t == 0 {
			return 0, unknownType(name)
		}
		return t, nil
	}
	reason := `no "type"`
	if err := r.Err(); err != nil {
		reason = err.Error()
	}
	return 0, &DecodeError{Code: CodeMalformed, Reason: reason, Err: ErrMalformed}
}
