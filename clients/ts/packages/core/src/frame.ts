import { CodecError } from './codec.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import type { ClientMessage, ServerMessage } from './messages.gen.js';
import { isFields } from './value.js';

/** How many messages a frame may carry. */
export const maxMessages = 8192;

/** How many BATCH envelopes may be around a message. */
const maxEnvelopes = 4;

/** The frame of a message. Its fields are written in the order in which the object has them. */
export function encodeMessage(message: ClientMessage): Uint8Array {
  return encode(message);
}

/**
 * Reads a frame: one message, or those of a BATCH in their order. Of each message only that it has a type is known
 * then; the rest is what the peer sent. What is no frame is refused as a whole with a CodecError.
 */
export function decodeFrame(frame: Uint8Array): ServerMessage[] {
  const out: ServerMessage[] = [];
  unpack(frame, out, 0);
  return out;
}

function unpack(frame: Uint8Array, out: ServerMessage[], envelopes: number): void {
  const message = decode(frame);
  if (!isFields(message) || typeof message['type'] !== 'string') {
    throw new CodecError('FORMAT', 'a message is a map with a string "type"');
  }
  if (message['type'] !== 'BATCH') {
    if (out.push(message as unknown as ServerMessage) > maxMessages) throw new CodecError('SIZE', `more than ${maxMessages} messages in a frame`);
    return;
  }
  const { data } = message;
  if (!(data instanceof Uint8Array) || data.length < 4 || envelopes === maxEnvelopes) throw new CodecError('FORMAT', 'a BATCH without messages');
  // A count and then each message behind its length, all of them little-endian.
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 4;
  for (let n = view.getUint32(0, true); n > 0; n--) {
    if (at + 4 > data.length) throw new CodecError('SHORT', 'a BATCH ends before its messages do');
    const end = at + 4 + view.getUint32(at, true);
    if (end > data.length) throw new CodecError('SHORT', 'a BATCH ends inside a message');
    unpack(data.subarray(at + 4, end), out, envelopes + 1);
    at = end;
  }
  if (at < data.length) throw new CodecError('TRAILING', 'bytes follow the messages of a BATCH');
}
