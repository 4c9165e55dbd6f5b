// SPDX-License-Identifier: GPL-3.0-or-later

import com.eatthepath.pushy.apns.ApnsClient;
import com.eatthepath.pushy.apns.ApnsClientBuilder;
import com.eatthepath.pushy.apns.auth.ApnsSigningKey;
import com.eatthepath.pushy.apns.util.SimpleApnsPushNotification;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.io.File;
import java.nio.charset.StandardCharsets;

/**
 * A gateway as small as can be around pushy: POST {"token":"DEVICE"} becomes one push, and is
 * answered 202 when the provider has answered. One event loop for both sides.
 *
 * <p>Gateway LISTEN_PORT APNS_PORT CA KEY TOPIC CONNECTIONS
 */
public final class Gateway {
  private static final String PAYLOAD =
      "{\"aps\":{\"alert\":\"New message\",\"mutable-content\":1,\"sound\":\"default\"}}";

  private final ApnsClient apns;
  private final String topic;

  private Gateway(ApnsClient apns, String topic) {
    this.apns = apns;
    this.topic = topic;
  }

  private final class Front extends SimpleChannelInboundHandler<FullHttpRequest> {
    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      // {"token":"..."}: all that the load says, so no JSON library is charged for it.
      String body = request.content().toString(StandardCharsets.US_ASCII);
      int begin = body.indexOf(':') + 2;
      int end = body.lastIndexOf('"');
      if (begin < 2 || end <= begin) {
        answer(context, HttpResponseStatus.BAD_REQUEST);
        return;
      }
      apns.sendNotification(new SimpleApnsPushNotification(body.substring(begin, end), topic, PAYLOAD))
          .whenComplete((result, error) ->
              answer(context, error == null && result.isAccepted() ? HttpResponseStatus.ACCEPTED
                                                                   : HttpResponseStatus.BAD_GATEWAY));
    }

    private void answer(ChannelHandlerContext context, HttpResponseStatus status) {
      var response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, Unpooled.EMPTY_BUFFER);
      response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
      context.writeAndFlush(response);
    }
  }

  public static void main(String[] words) throws Exception {
    var loop = new NioEventLoopGroup(1);
    ApnsClient client = new ApnsClientBuilder()
        .setApnsServer("localhost", Integer.parseInt(words[1]))
        .setTrustedServerCertificateChain(new File(words[2]))
        .setSigningKey(ApnsSigningKey.loadFromPkcs8File(new File(words[3]), "TEAM123456", "KEY1234567"))
        .setConcurrentConnections(Integer.parseInt(words[5]))
        .setEventLoopGroup(loop)
        .build();
    var gateway = new Gateway(client, words[4]);
    new ServerBootstrap()
        .group(loop)
        .channel(NioServerSocketChannel.class)
        .childHandler(new ChannelInitializer<SocketChannel>() {
          @Override
          protected void initChannel(SocketChannel channel) {
            channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536), gateway.new Front());
          }
        })
        .bind("127.0.0.1", Integer.parseInt(words[0]))
        .sync();
  }
}
