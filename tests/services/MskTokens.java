// SPDX-License-Identifier: Apache-2.0
// MskTokens - the broker's side of OAUTHBEARER as clients of MSK with IAM speak it. Such a token is the URL of a kafka-cluster:Connect request,
// presigned by Signature Version 4, in base64url. Everything in it is checked against the one key pair that the listener's JAAS line names:
// accessKey, secretKey, region. A token that is refused ends the handshake; why is printed, for the broker's log, without the signature wanted.
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

public class MskTokens implements AuthenticateCallbackHandler {
    private static final String ALGORITHM = "AWS4-HMAC-SHA256", SERVICE = "kafka-cluster";
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
    private static final long LONGEST = 900, CLOCKS_DIFFER = 300; // seconds
    private Map<String, ?> given;

    private static class Refused extends Exception {
        Refused(String why) {
            super(why);
        }
    }

    private record Token(String value, String principalName, long began, long lifetimeMs) implements OAuthBearerToken {
        public Set<String> scope() {
            return Set.of();
        }

        public Long startTimeMs() {
            return began;
        }
    }

    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
        given = entries.get(0).getOptions();
    }

    @Override
    public void close() {
    }

    @Override
    public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerExtensionsValidatorCallback extensions)
                extensions.inputExtensions().map().keySet().forEach(extensions::valid);
            else if (callback instanceof OAuthBearerValidatorCallback asked)
                judge(asked);
            else
                throw new UnsupportedCallbackException(callback);
        }
    }

    private void judge(OAuthBearerValidatorCallback asked) {
        try {
            asked.token(check(asked.tokenValue()));
        } catch (Refused | GeneralSecurityException | RuntimeException e) {
            System.err.println("MskTokens: " + (e instanceof Refused ? e.getMessage() : e.toString()));
            asked.error("invalid_token", null, null);
        }
    }

    private OAuthBearerToken check(String value) throws Refused, GeneralSecurityException {
        String url = new String(Base64.getUrlDecoder().decode(value), StandardCharsets.UTF_8);
        String host = "kafka." + given.get("region") + ".amazonaws.com", start = "https://" + host + "/?";
        if (!url.startsWith(start))
            throw new Refused("the URL does not begin with " + start);
        SortedMap<String, String> query = new TreeMap<>(); // by name and as sent, which is the order and the form that are signed
        for (String pair : url.substring(start.length()).split("&")) {
            int equals = pair.indexOf('=');
            if (equals < 0 || query.put(pair.substring(0, equals), pair.substring(equals + 1)) != null)
                throw new Refused("\"" + pair.substring(0, Math.max(equals, 0)) + "\" without a value, or twice");
        }
        // What is signed is all but the signature itself; clients put their name in afterwards.
        String signature = query.remove("X-Amz-Signature"), agent = query.remove("User-Agent");
        if (agent == null)
            throw new Refused("there is no User-Agent");
        String time = query.getOrDefault("X-Amz-Date", ""), day = time.length() < 8 ? "" : time.substring(0, 8);
        String scope = String.join("/", day, (String) given.get("region"), SERVICE, "aws4_request");
        same(query, "Action", "kafka-cluster%3AConnect");
        same(query, "X-Amz-Algorithm", ALGORITHM);
        same(query, "X-Amz-SignedHeaders", "host");
        same(query, "X-Amz-Credential", given.get("accessKey") + "%2F" + scope.replace("/", "%2F"));
        long began = Instant.from(TIME.parse(time)).getEpochSecond(), lasts = Long.parseLong(query.getOrDefault("X-Amz-Expires", "0"));
        long now = Instant.now().getEpochSecond();
        if (lasts < 1 || lasts > LONGEST)
            throw new Refused("X-Amz-Expires is " + lasts + ", expected 1 to " + LONGEST);
        if (now > began + lasts || began > now + CLOCKS_DIFFER)
            throw new Refused("X-Amz-Date is " + time + " for " + lasts + " s, and it is " + TIME.format(Instant.now()));

        String sorted = query.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining("&"));
        String request = String.join("\n", "GET", "/", sorted, "host:" + host, "", "host", hex(sha256("")));
        byte[] key = ("AWS4" + given.get("secretKey")).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/"))
            key = hmac(key, part);
        byte[] right = hmac(key, String.join("\n", ALGORITHM, time, scope, hex(sha256(request))));
        if (signature == null || !hex(right).equals(signature))
            throw new Refused("the signature is wrong for " + sorted);
        return new Token(value, (String) given.get("accessKey"), began * 1000, (began + lasts) * 1000);
    }

    private static void same(Map<String, String> query, String name, String wanted) throws Refused {
        if (!wanted.equals(query.get(name)))
            throw new Refused(name + " is " + query.get(name) + ", expected " + wanted);
    }

    private static byte[] sha256(String text) throws GeneralSecurityException {
        return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes)
            text.append(String.format("%02x", b));
        return text.toString();
    }
}
