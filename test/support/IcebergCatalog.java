// A REST catalog of Iceberg tables on this machine's disk: the servlet that Apache Iceberg tests its own clients with, over its
// catalog in SQLite. It knows one client and gives it a token, which every other request must carry.

import jakarta.servlet.FilterChain;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.iceberg.Files;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.HTTPRequest;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.apache.iceberg.rest.RESTResponse;
import org.apache.iceberg.rest.responses.ErrorResponse;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

public class IcebergCatalog {
  static class LocalFiles implements FileIO {
    private static File file(String path) {
      File file = new File(path.replaceFirst("^file:(//)?", ""));
      file.getParentFile().mkdirs();
      return file;
    }

    public InputFile newInputFile(String path) {
      return Files.localInput(file(path));
    }

    public OutputFile newOutputFile(String path) {
      return Files.localOutput(file(path));
    }

    public void deleteFile(String path) {
      file(path).delete();
    }
  }

  static class Guarded extends RESTCatalogAdapter {
    private final String secret;

    Guarded(Catalog catalog, String secret) {
      super(catalog);
      this.secret = secret;
    }

    @Override
    protected <T extends RESTResponse> T execute(
        HTTPRequest request,
        Class<T> responseType,
        Consumer<ErrorResponse> errorHandler,
        Consumer<Map<String, String>> responseHeaders) {
      boolean isLogin = request.path().endsWith("oauth/tokens");
      if (!isLogin || secret.equals(((Map<?, ?>) request.body()).get("client_secret")))
        return super.execute(request, responseType, errorHandler, responseHeaders);
      errorHandler.accept(
          ErrorResponse.builder().responseCode(401).withType("invalid_client").withMessage("no such client").build());
      return null;
    }
  }

  static class NeedsToken extends HttpFilter {
    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws IOException, jakarta.servlet.ServletException {
      String given = String.valueOf(request.getHeader("Authorization"));
      boolean isAllowed = given.startsWith("Bearer client-credentials-token:sub=");
      if (isAllowed || request.getRequestURI().endsWith("/v1/oauth/tokens")) chain.doFilter(request, response);
      else response.sendError(401);
    }
  }

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]);
    String folder = args[1];
    JdbcCatalog catalog = new JdbcCatalog(properties -> new LocalFiles(), null, true);
    catalog.initialize(
        "lake", Map.of("uri", "jdbc:sqlite:" + folder + "/catalog.db", "warehouse", folder + "/warehouse", "jdbc.schema-version", "V1"));
    ServletContextHandler context = new ServletContextHandler();
    context.addFilter(new FilterHolder(new NeedsToken()), "/*", EnumSet.of(jakarta.servlet.DispatcherType.REQUEST));
    context.addServlet(new ServletHolder(new RESTCatalogServlet(new Guarded(catalog, args[2]))), "/*");
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    connector.setPort(port);
    server.addConnector(connector);
    server.setHandler(context);
    server.start();
    server.join();
  }
}
