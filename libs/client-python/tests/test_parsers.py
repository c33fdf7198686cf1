"""What comes from the network, torn anywhere: HTTP/1.1 responses and Server-Sent Events."""

from __future__ import annotations

import random
import unittest

from taskstream_client.errors import ClientError, ShapeError, WireFault
from taskstream_client.http1 import Response, parse_endpoint, request_bytes
from taskstream_client.sse import SseParser
from taskstream_client.wire import parse_event, parse_message, parse_stream_end, result_type


def torn(data: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    pieces = []
    while data:
        size = rng.randrange(1, 6)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


class Sse(unittest.TestCase):
    def test_frames_are_the_same_however_the_bytes_are_torn(self) -> None:
        for newline in (b"\n", b"\r\n", b"\r"):
            source = newline.join(
                (b": hello", b"", b"id: 7", b"event: message", 'data: {"a":"\u00e9"}'.encode(), b"data:second", b"", b"data", b"")
            )
            source += newline
            for seed in range(60):
                parser = SseParser(1000)
                # A last bare CR may be half of a line end: it counts with the next byte.
                frames = [f for piece in [*torn(source, seed), b":"] for f in parser.feed(piece)]
                self.assertEqual(frames, [None, '{"a":"\u00e9"}\nsecond', ""], (newline, seed))

    def test_a_frame_that_was_cut_is_not_handed_on(self) -> None:
        self.assertEqual(list(SseParser(1000).feed(b'data: {"a":1}\n')), [])

    def test_a_frame_is_bounded(self) -> None:
        for data in (b"data: " + b"x" * 200, b"data: " + b"x" * 90 + b"\ndata: yyyyyyyyyyyyy\n"):
            with self.assertRaises(WireFault) as raised:
                list(SseParser(100).feed(data))
            self.assertEqual(raised.exception.fault, "message_too_large")

    def test_bytes_that_are_not_utf8_are_a_fault(self) -> None:
        with self.assertRaises(WireFault) as raised:
            list(SseParser(100).feed(b"data: \xff\xfe\n\n"))
        self.assertEqual(raised.exception.fault, "invalid_utf8")


class Http(unittest.TestCase):
    def feed(self, source: bytes, seed: int) -> tuple[Response, bytes]:
        response = Response(1000)
        return response, b"".join(response.feed(piece) for piece in torn(source, seed))

    def test_bodies_are_whole_however_the_bytes_are_torn(self) -> None:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n"
        counted = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world and more"
        for source in (chunked, counted):
            for seed in range(60):
                response, body = self.feed(source, seed)
                self.assertEqual((response.status, response.done, body), (200, True, b"hello world"))

    def test_a_cut_body_is_not_whole(self) -> None:
        heads = (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", b"Content-Length: 9\r\n\r\nhel")
        for head in heads:
            response, body = self.feed(b"HTTP/1.1 200 OK\r\n" + head, 1)
            self.assertEqual((body, response.end()), (b"hel", False))
        response, body = self.feed(b"HTTP/1.0 200 OK\r\n\r\nhel", 1)
        self.assertEqual((body, response.end()), (b"hel", True))

    def test_what_is_no_response_is_a_fault(self) -> None:
        wrong = (
            b"SSH-2.0-x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nA: " + b"x" * 2000,
        )
        for source in wrong:
            with self.assertRaises(WireFault):
                self.feed(source, 2)

    def test_a_header_cannot_smuggle_a_line(self) -> None:
        endpoint = parse_endpoint("http://a.example:81/mcp?x=1", 0)
        self.assertEqual((endpoint.host, endpoint.port, endpoint.target), ("a.example", 81, "/mcp?x=1"))
        with self.assertRaises(ClientError):
            request_bytes(endpoint, {"X": "a\r\nEvil: yes"}, b"")
        for url in ("ftp://a", "http://", "http://a b/", "http://u:p@a/", 7, "http://a:99999/"):
            with self.assertRaises(ClientError) as raised:
                parse_endpoint(url, 3)
            self.assertIn("endpoints[3]", str(raised.exception))


class Wire(unittest.TestCase):
    def test_messages_say_what_is_wrong_with_them(self) -> None:
        wrong = {
            "[]": "message: expected an object, got array",
            '{"jsonrpc":"1.0"}': 'message.jsonrpc: expected "2.0"',
            '{"jsonrpc":"2.0","id":1}': "message.result: expected an object, got null",
            '{"jsonrpc":"2.0","method":1}': "message.method: expected a string, got number",
            '{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"m"}}': "error.code: expected an integer, got string",
            '{"jsonrpc":"2.0","id":1,"result":{"x":NaN}}': "message: expected JSON",
            "{": "message: expected JSON",
            "[" * 100_000: "message: expected JSON",
        }
        for source, message in wrong.items():
            with self.assertRaises(ShapeError) as raised:
                parse_message(source)
            self.assertEqual(str(raised.exception), message)

    def test_an_event_keeps_its_bytes(self) -> None:
        params = '{"taskId":"t","seq":1,"type":"a.b.c","payload":{"n": 1.50},"_meta":{}}'
        source = '{"jsonrpc":"2.0","method":"notifications/tasks/event","params":' + params + "}"
        self.assertEqual(parse_event(parse_message(source).params, source).raw, params)

    def test_a_seq_is_a_safe_integer(self) -> None:
        for seq in (-1, 1.5, True, "1", None, 2**53):
            with self.assertRaises(ShapeError):
                parse_event({"taskId": "t", "seq": seq, "type": "a.b.c", "payload": {}}, "")

    def test_an_unknown_result_type_is_refused_and_an_unknown_reason_is_none(self) -> None:
        with self.assertRaises(ShapeError):
            result_type({"resultType": "surprise"}, "complete")
        end = parse_stream_end({"_meta": {"dev.taskstream/stream": {"reason": "tired", "nextSeq": -1}}})
        self.assertEqual((end.reason, end.status, end.next_seq), (None, None, None))


if __name__ == "__main__":
    unittest.main()
