package chromium

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// PageOptions are what is different about a page. The zero value is a window of
// 1120 by 800 pixels on a machine with a light theme.
type PageOptions struct {
	// Width and Height are those of the window, in pixels of CSS.
	Width, Height int

	// Phone makes it the screen of a phone: touch, no pointer that hovers.
	Phone bool

	// Dark says that the machine has a dark theme.
	Dark bool

	// ClockAhead is by how much the page's clock is ahead of this machine's.
	ClockAhead time.Duration

	// Scale is how many pixels of the screen make one of CSS. Default 1.
	Scale float64
}

// Page is one page of a browser.
type Page struct {
	pipe            *pipe
	target, session string

	mu       sync.Mutex
	problems []string
	trace    *trace
}

// clockAhead makes Date say that it is later, in all that a page runs.
const clockAhead = `{
	const Real = Date, by = %d;
	globalThis.Date = class Date extends Real {
		constructor(...a) { if (a.length) super(...a); else super(Real.now() + by); }
		static now() { return Real.now() + by; }
	};
}`

func (p *Page) prepare(ctx context.Context, opt PageOptions) error {
	if opt.Width == 0 {
		opt.Width, opt.Height = 1120, 800
	}
	if opt.Scale == 0 {
		opt.Scale = 1
	}
	scheme := "light"
	if opt.Dark {
		scheme = "dark"
	}
	calls := []struct {
		method string
		params object
	}{
		{"Page.enable", nil},
		{"Runtime.enable", nil},
		{"Inspector.enable", nil},
		{"Emulation.setDeviceMetricsOverride", object{"width": opt.Width, "height": opt.Height, "deviceScaleFactor": opt.Scale, "mobile": opt.Phone}},
		{"Emulation.setEmulatedMedia", object{"features": []object{{"name": "prefers-color-scheme", "value": scheme}}}},
		{"Emulation.setTouchEmulationEnabled", object{"enabled": opt.Phone}},
		// Each page believes that it is the one in front: people have several side by side.
		{"Emulation.setFocusEmulationEnabled", object{"enabled": true}},
	}
	for _, c := range calls {
		if err := p.call(ctx, c.method, c.params, nil); err != nil {
			return err
		}
	}
	if opt.ClockAhead == 0 {
		return nil
	}
	source := fmt.Sprintf(clockAhead, opt.ClockAhead.Milliseconds())
	return p.call(ctx, "Page.addScriptToEvaluateOnNewDocument", object{"source": source}, nil)
}

func (p *Page) call(ctx context.Context, method string, params object, result any) error {
	if params == nil {
		params = object{}
	}
	return p.pipe.call(ctx, p.session, method, params, result)
}

// heard takes the events of the page.
func (p *Page) heard(method string, params json.RawMessage) {
	switch method {
	case "Runtime.exceptionThrown":
		var e struct {
			Details exception `json:"exceptionDetails"`
		}
		if json.Unmarshal(params, &e) == nil {
			p.problem("uncaught: " + e.Details.String())
		}
	case "Inspector.targetCrashed":
		p.problem("the page has crashed")
	case "Tracing.dataCollected", "Tracing.tracingComplete":
		p.mu.Lock()
		t := p.trace
		p.mu.Unlock()
		if t != nil {
			t.heard(method, params)
		}
	}
}

func (p *Page) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// Problems are errors that nothing on the page has caught, so far.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problems
}

// Go leads the page to a URL, and returns when its document has arrived.
func (p *Page) Go(ctx context.Context, url string) error {
	var answer struct {
		Error string `json:"errorText"`
	}
	if err := p.call(ctx, "Page.navigate", object{"url": url}, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("open %s: %s", url, answer.Error)
	}
	return nil
}

// Reload loads the page again. What is waited for next is the new document's.
func (p *Page) Reload(ctx context.Context) error {
	if err := p.Eval(ctx, "window.leaving = true", nil); err != nil {
		return err
	}
	if err := p.call(ctx, "Page.reload", nil, nil); err != nil {
		return err
	}
	return p.Wait(ctx, "!window.leaving && document.readyState !== 'loading'")
}

// Close closes the page as a person would close its tab.
func (p *Page) Close(ctx context.Context) error {
	return p.pipe.call(ctx, "", "Target.closeTarget", object{"targetId": p.target}, nil)
}

// exception is what a script has thrown.
type exception struct {
	Text      string `json:"text"`
	Exception struct {
		Description string `json:"description"`
	} `json:"exception"`
}

func (e *exception) String() string { return strings.TrimSpace(e.Text + " " + e.Exception.Description) }

// Eval evaluates an expression, waits for it when it is a promise, and puts its
// value into result unless that is nil.
func (p *Page) Eval(ctx context.Context, expression string, result any) error {
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *exception `json:"exceptionDetails"`
	}
	params := object{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}
	if err := p.call(ctx, "Runtime.evaluate", params, &answer); err != nil {
		return err
	}
	if answer.Exception != nil {
		return fmt.Errorf("evaluate %.200s: %s", expression, answer.Exception)
	}
	if result == nil {
		return nil
	}
	if len(answer.Result.Value) == 0 {
		return fmt.Errorf("evaluate %.200s: no value", expression)
	}
	return json.Unmarshal(answer.Result.Value, result)
}

// waiting resolves when a condition holds. It looks when the document changes,
// and now and then, because not everything that a page shows is in its document.
const waiting = `new Promise((resolve) => {
	const look = () => { try { return !!(%s); } catch { return false; } };
	if (look()) return resolve(true);
	const again = () => { if (look()) { observer.disconnect(); clearInterval(timer); resolve(true); } };
	const observer = new MutationObserver(again);
	observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
	const timer = setInterval(again, 50);
})`

// Wait returns when a condition holds, an expression over what the page shows.
// Errors in it mean that it does not hold yet; a new document starts it again.
func (p *Page) Wait(ctx context.Context, condition string) error {
	for {
		err := p.Eval(ctx, fmt.Sprintf(waiting, condition), nil)
		var refused *protocolError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not come about; the page shows:\n%s", condition, p.shows(ctx))
		case errors.As(err, &refused) && p.between(refused):
			continue
		default:
			return err
		}
	}
}

// between reports whether a call failed because one document has made way for
// the next.
func (p *Page) between(e *protocolError) bool {
	for _, text := range []string{"context was destroyed", "navigated or closed", "Cannot find context", "Promise was collected"} {
		if strings.Contains(e.Message, text) {
			return true
		}
	}
	return false
}

// shows is the text of the page, for messages.
func (p *Page) shows(ended context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), 5*time.Second)
	defer cancel()
	var text string
	if err := p.Eval(ctx, "location.href + '\\n' + document.body.innerText", &text); err != nil {
		return err.Error()
	}
	return strings.Join(append([]string{text}, p.Problems()...), "\n")
}

// Screenshot returns what the page shows, as PNG. Whole is all of it, not only
// what the window has room for.
func (p *Page) Screenshot(ctx context.Context, whole bool) ([]byte, error) {
	var shot struct {
		Data string `json:"data"`
	}
	if err := p.call(ctx, "Page.captureScreenshot", object{"format": "png", "captureBeyondViewport": whole}, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot.Data)
}

// Control is what a page says of one thing that can be focused.
type Control struct{ Role, Name string }

// Controls returns what people who cannot see the page are told of everything
// that can be focused.
func (p *Page) Controls(ctx context.Context) ([]Control, error) {
	type value struct {
		Value json.RawMessage `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored    bool  `json:"ignored"`
			Role       value `json:"role"`
			Name       value `json:"name"`
			Properties []struct {
				Name  string `json:"name"`
				Value value  `json:"value"`
			} `json:"properties"`
		} `json:"nodes"`
	}
	if err := p.call(ctx, "Accessibility.getFullAXTree", nil, &tree); err != nil {
		return nil, err
	}
	text := func(v value) string {
		var s string
		_ = json.Unmarshal(v.Value, &s) // what is no text has none
		return s
	}
	var all []Control
	for _, n := range tree.Nodes {
		for _, prop := range n.Properties {
			if !n.Ignored && prop.Name == "focusable" && string(prop.Value.Value) == "true" {
				all = append(all, Control{text(n.Role), text(n.Name)})
			}
		}
	}
	return all, nil
}
