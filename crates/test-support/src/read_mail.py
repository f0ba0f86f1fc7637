"""Prints the messages in the files of a folder, as Python's email package reads them, as one JSON array."""

import email
import email.policy
import json
import pathlib
import sys


def read(path):
    with path.open("rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    parts = list(message.walk())
    return {
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "to": [[address.username, address.domain] for address in message["To"].addresses],
        "content_type": message.get_content_type(),
        "charset": message.get_content_charset(),
        # As the sender wrote it, but for the line ends, which a mailbox stores as its system has them.
        "text": message.get_payload(decode=True).replace(b"\r\n", b"\n").decode("utf-8"),
        "longest_line": max(map(len, path.read_bytes().splitlines())),
        "ascii": path.read_bytes().isascii(),
        "defects": [repr(defect) for part in parts for defect in part.defects]
        + [repr(defect) for value in message.values() for defect in value.defects],
    }


print(json.dumps([read(path) for path in sorted(pathlib.Path(sys.argv[1]).iterdir()) if path.is_file()]))
