package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	numbers := []int{400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 503}
	seen := map[string]bool{}
	for c := Code(1); int(c) < len(codeInfos); c++ {
		if c.Name() == "" || seen[c.Name()] || c.Name() != strings.ToUpper(c.Name()) {
			t.Errorf("code %d has the name %q", c, c.Name())
		}
		seen[c.Name()] = true
		if !slices.Contains(numbers, c.Number()) {
			t.Errorf("%v has the number %d", c, c.Number())
		}
		if !strings.HasSuffix(c.Text(), ".") || len(c.Text()) < 30 {
			t.Errorf("%v does not say what to do: %q", c, c.Text())
		}
	}
	if int(CodeSnapshotOverflow) != len(codeInfos)-1 {
		t.Errorf("%d codes, but the last one is %d", len(codeInfos)-1, CodeSnapshotOverflow)
	}
	for _, c := range []Code{0, 255} {
		if c.Name() != "INTERNAL" || c.Number() != 500 {
			t.Errorf("undefined code %d is %v %d", c, c, c.Number())
		}
	}
}

func TestCloseCodes(t *testing.T) {
	if !slices.IsSorted(CloseCodes[:]) {
		t.Error("not in order")
	}
	seen := map[string]bool{}
	for _, c := range CloseCodes {
		reason := c.Reason()
		// RFC 6455 leaves 123 bytes for the reason.
		if seen[reason] || len(reason) > 123 {
			t.Errorf("%d has the reason %q", c, reason)
		}
		seen[reason] = true
		if strings.Contains(reason, "; reconnect") && !c.Reconnect() {
			t.Errorf("%d says %q but advises against it", c, reason)
		}
	}
}

func TestNewError(t *testing.T) {
	got := string(Append(nil, NewError(CodeForbidden, "no", TypeLockRequest, "r")))
	want := string(bytesOf(t, object{"type", "ERROR", "payload", object{
		"code", 403, "message", "no", "details", object{"name", "FORBIDDEN", "type", "LOCK_REQUEST", "requestId", "r"},
	}}))
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	bare := NewError(CodeOverloaded, "", 0, "")
	if want := string(bytesOf(t, object{"name", "OVERLOADED"})); bare.Message != CodeOverloaded.Text() || string(bare.Details) != want {
		t.Errorf("%+v", bare)
	}
}

func TestNewOpRejected(t *testing.T) {
	want := OpRejected{OpID: "7", Reason: "STALE_WRITE: " + CodeStaleWrite.Text(), Code: 409}
	if got := NewOpRejected("7", CodeStaleWrite, ""); *got != want {
		t.Errorf("%+v, want %+v", *got, want)
	}
}

func TestVersion(t *testing.T) {
	if schemaFingerprint != VersionSchema {
		t.Errorf("the schema changed: its fingerprint is %s, that of version %d is %s.\n"+
			"If peers can notice the change, raise Version; in any case set VersionSchema to the new fingerprint.",
			schemaFingerprint, Version, VersionSchema)
	}
}
