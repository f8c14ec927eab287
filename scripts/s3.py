"""A minimal S3 client for the checker and the kill campaign: SigV4 by the standard library alone, path style, no retries.
It shares no code with the product, so that what both get wrong must be wrong twice."""

import datetime
import hashlib
import hmac
import http.client
import urllib.parse
import xml.etree.ElementTree as ElementTree

EMPTY = hashlib.sha256(b"").hexdigest()


class Failed(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]!r}")
        self.status = status


class S3:
    def __init__(self, endpoint, access_key, secret_key, region="us-east-1"):
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.access_key, self.secret_key, self.region = access_key, secret_key, region
        self.connection = None

    def request(self, method, bucket, key="", query=None, headers=None, body=b""):
        """The answer's headers, names in lower case, and its body."""
        path = "/" + bucket + ("/" + urllib.parse.quote(key, safe="/~") if key else "")
        query = "&".join(
            f"{urllib.parse.quote(k, safe='~')}={urllib.parse.quote(str(v), safe='~')}" for k, v in sorted((query or {}).items())
        )
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY
        signed = {"host": self.host, "x-amz-date": now, "x-amz-content-sha256": digest}
        signed.update({k.lower(): v for k, v in (headers or {}).items()})
        signed["authorization"] = self.authorization(method, path, query, signed, now, digest)
        for again in (True, False):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=120)
            try:
                self.connection.request(method, path + ("?" + query if query else ""), body=body, headers=signed)
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (http.client.HTTPException, OSError):
                # The server closes connections that were idle.
                self.connection.close()
                self.connection = None
                if not again:
                    raise
        if answer.status >= 300:
            raise Failed(answer.status, data)
        return {k.lower(): v for k, v in answer.getheaders()}, data

    def authorization(self, method, path, query, headers, now, digest):
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
        canonical = "\n".join([method, path, query, lines, names, digest])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (now[:8], self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"

    def get(self, bucket, key, version=None):
        return self.request("GET", bucket, key, {"versionId": version} if version else None)[1]

    def head(self, bucket, key, version=None):
        return self.request("HEAD", bucket, key, {"versionId": version} if version else None)[0]

    def put(self, bucket, key, body, headers=None):
        return self.request("PUT", bucket, key, headers=headers, body=body)[0]

    def delete(self, bucket, key):
        self.request("DELETE", bucket, key)

    def create_bucket(self, bucket, lock):
        self.request("PUT", bucket, headers={"x-amz-bucket-object-lock-enabled": "true"} if lock else None)

    def objects(self, bucket, prefix=""):
        """Key to (size, ETag)."""
        found, query = {}, {"list-type": 2, "prefix": prefix, "encoding-type": "url"}
        while True:
            root = parse(self.request("GET", bucket, query=query)[1])
            for item in root.findall("Contents"):
                found[decoded(item, "Key")] = (int(item.findtext("Size")), item.findtext("ETag").strip('"'))
            if root.findtext("IsTruncated") != "true":
                return found
            query["continuation-token"] = root.findtext("NextContinuationToken")

    def versions(self, bucket, prefix=""):
        """Dicts with key, version_id, size, etag, newest first within a key; no delete markers."""
        found, query = [], {"versions": "", "prefix": prefix, "encoding-type": "url"}
        while True:
            root = parse(self.request("GET", bucket, query=query)[1])
            for item in root.findall("Version"):
                found.append({
                    "key": decoded(item, "Key"),
                    "version_id": item.findtext("VersionId"),
                    "size": int(item.findtext("Size")),
                    "etag": item.findtext("ETag").strip('"'),
                })
            if root.findtext("IsTruncated") != "true":
                return found
            query["key-marker"] = urllib.parse.unquote_plus(root.findtext("NextKeyMarker"))
            query["version-id-marker"] = root.findtext("NextVersionIdMarker")

    def uploads(self, bucket, key=""):
        """(key, upload id) of unfinished multipart uploads; MinIO answers for an exact key, or for all since it was started."""
        root = parse(self.request("GET", bucket, query={"uploads": "", "prefix": key})[1])
        return [(item.findtext("Key"), item.findtext("UploadId")) for item in root.findall("Upload")]

    def abort(self, bucket, key, upload_id):
        self.request("DELETE", bucket, key, {"uploadId": upload_id})


def parse(body):
    root = ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def decoded(item, name):
    return urllib.parse.unquote_plus(item.findtext(name))
