// Sends one of everything com.posthog:posthog-server can send to the server in HOGFLARE_RECORD_URL.
import com.posthog.server.PostHog;
import com.posthog.server.PostHogCaptureOptions;
import com.posthog.server.PostHogConfig;
import com.posthog.server.PostHogInterface;
import java.util.Arrays;
import java.util.Date;
import java.util.Map;

public class Server {
  public static void main(String[] arguments) throws Exception {
    PostHogConfig config =
        PostHogConfig.builder("phc_golden")
            .host(System.getenv("HOGFLARE_RECORD_URL"))
            .flushAt(100)
            .build();
    PostHogInterface client = PostHog.with(config);
    client.capture(
        "java-user",
        "purchase",
        PostHogCaptureOptions.builder()
            .property("amount", 29.99)
            .property("count", 9007199254740993L)
            .property("text", "grüße 🦔")
            .property("nested", Map.of("a", Arrays.asList(1, 2)))
            .build());
    client.capture(
        "java-user",
        "in the past",
        PostHogCaptureOptions.builder()
            .timestamp(new Date(1767303245678L))
            .group("company", "acme")
            .build());
    client.identify("java-user", Map.of("email", "java@example.com"), Map.of("first", "java"));
    client.alias("java-user", "java-alias");
    client.group("java-user", "company", "acme", Map.of("size", 12));
    client.capture(
        "java-anonymous",
        "personless",
        PostHogCaptureOptions.builder().property("$process_person_profile", false).build());
    // The queue is filled by a thread of its own, and close() waits for nobody.
    Thread.sleep(3000);
    client.flush();
    Thread.sleep(3000);
    client.close();
    System.exit(0);
  }
}
