package chromium

import (
	"context"
	"encoding/json"
	"fmt"
)

// Point is a place in the window, in pixels of CSS.
type Point struct{ X, Y float64 }

// middle scrolls an element into view and returns its middle, once nothing is
// moving any more.
func (p *Page) middle(ctx context.Context, selector string) (Point, error) {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return Point{}, err
	}
	var at Point
	err = p.Eval(ctx, fmt.Sprintf(`(async () => {
		const moving = (a) => a.playState === 'running' && a.effect.getKeyframes().some((k) => 'transform' in k);
		await Promise.allSettled(document.getAnimations().filter(moving).map((a) => a.finished));
		const e = document.querySelector(%s);
		if (!e) throw new Error('nothing matches ' + %[1]s);
		e.scrollIntoView({ block: 'center', behavior: 'instant' });
		const r = e.getBoundingClientRect();
		return { X: r.x + r.width / 2, Y: r.y + r.height / 2 };
	})()`, quoted), &at)
	return at, err
}

// Click clicks into the middle of the element that a selector finds.
func (p *Page) Click(ctx context.Context, selector string) error {
	at, err := p.middle(ctx, selector)
	if err != nil {
		return err
	}
	return p.mouse(ctx, at, 0, "mouseMoved", "mousePressed", "mouseReleased")
}

// Drag takes the element that one selector finds to the middle of another.
func (p *Page) Drag(ctx context.Context, from, to string) error {
	end, err := p.middle(ctx, to)
	if err != nil {
		return err
	}
	begin, err := p.middle(ctx, from)
	if err != nil {
		return err
	}
	if err := p.mouse(ctx, begin, 0, "mouseMoved", "mousePressed"); err != nil {
		return err
	}
	for i := range 10 {
		if err := p.mouse(ctx, begin.towards(end, float64(i+1)/10), 1, "mouseMoved"); err != nil {
			return err
		}
	}
	return p.mouse(ctx, end, 1, "mouseReleased")
}

// Swipe does as Drag does, with a finger on the screen of a phone.
func (p *Page) Swipe(ctx context.Context, from, to string) error {
	end, err := p.middle(ctx, to)
	if err != nil {
		return err
	}
	begin, err := p.middle(ctx, from)
	if err != nil {
		return err
	}
	touch := func(event string, at ...Point) error {
		points := []object{}
		for _, a := range at {
			points = append(points, object{"x": a.X, "y": a.Y})
		}
		return p.call(ctx, "Input.dispatchTouchEvent", object{"type": event, "touchPoints": points}, nil)
	}
	if err := touch("touchStart", begin); err != nil {
		return err
	}
	for i := range 10 {
		if err := touch("touchMove", begin.towards(end, float64(i+1)/10)); err != nil {
			return err
		}
	}
	return touch("touchEnd")
}

// towards is the place at a part of the way to another.
func (p Point) towards(end Point, part float64) Point {
	return Point{p.X + (end.X-p.X)*part, p.Y + (end.Y-p.Y)*part}
}

// mouse sends events of the pointer; held is 1 while its button is down.
func (p *Page) mouse(ctx context.Context, at Point, held int, events ...string) error {
	for _, e := range events {
		params := object{"type": e, "x": at.X, "y": at.Y, "button": "left", "buttons": held, "clickCount": 1}
		if err := p.call(ctx, "Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// Type types a text where the focus is.
func (p *Page) Type(ctx context.Context, text string) error {
	return p.call(ctx, "Input.insertText", object{"text": text}, nil)
}

// Keys held while another is pressed.
const (
	Alt  = 1
	Ctrl = 2
)

// codes are the numbers of keys that have no letter.
var codes = map[string]int{"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "Backspace": 8, "Tab": 9, "End": 35, "Home": 36}

// Press presses a key, named as in KeyboardEvent.key.
func (p *Page) Press(ctx context.Context, key string, held int) error {
	params := object{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": held}
	if key == "Enter" && held == 0 {
		params["text"] = "\r"
	}
	if err := p.call(ctx, "Input.dispatchKeyEvent", params, nil); err != nil {
		return err
	}
	delete(params, "text")
	params["type"] = "keyUp"
	return p.call(ctx, "Input.dispatchKeyEvent", params, nil)
}
