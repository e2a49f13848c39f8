// Package chromium drives a real Chromium for tests and measurements: it starts
// one on a profile, opens pages, evaluates scripts in them, waits for what they
// show, and types and clicks as a person does.
//
// It speaks the DevTools protocol over two pipes, so that there is no port to
// find and the browser ends when its driver does. Only what is used here is
// there.
package chromium
